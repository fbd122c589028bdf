"""What the model engines share. Importing it is light: torch comes with the first song."""

"""Where the sound lies in a file: its parts, when several songs were joined, and how much of each is missing."""

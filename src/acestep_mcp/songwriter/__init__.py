"""What the writer knows: style words, the lines songs are made of, and how to read a prompt."""

"""What both databases need: errors in words, updates with a backup, and repair."""

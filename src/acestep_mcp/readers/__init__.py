"""What people and language models write in a request, read once for every engine and the songwriter."""

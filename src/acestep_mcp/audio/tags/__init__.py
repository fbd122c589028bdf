"""Tags inside audio files: one module per format, and `file_tags` for all of them."""

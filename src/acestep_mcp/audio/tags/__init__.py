"""Tags inside audio files: one module a format, and `file_tags` over all of them."""

"""What is kept: jobs (SQLite) and tracks (audio files, each with a sidecar). Plain and synchronous inside."""

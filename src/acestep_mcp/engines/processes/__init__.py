"""Songs that are made in another process: what both sides say, and an engine whose process may end at any moment."""

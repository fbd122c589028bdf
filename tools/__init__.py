"""Commands for developers, run from a checkout."""

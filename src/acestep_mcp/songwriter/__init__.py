"""Writes tags and lyrics for a prompt, by rules or with a language model; every engine uses it."""

"""Readers of lengths that every package uses."""

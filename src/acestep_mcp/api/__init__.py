"""The published API as pure data: requests, endpoints, updates, edits, errors. Imports nothing else of this package."""

"""The use cases: make, wait, cancel, list. Independent of MCP and of HTTP."""

"""The use cases: make, wait, cancel, list, remake. Knows no MCP and no HTTP."""

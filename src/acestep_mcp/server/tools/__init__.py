"""The MCP tools: `table` lists them, the other modules hold what they do."""

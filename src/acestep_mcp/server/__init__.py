"""MCP: the studio as tools, resources and prompts, over stdio and Streamable HTTP. Only this package imports mcp."""

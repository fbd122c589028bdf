"""Music for language models: the ACE-Step endpoints as MCP tools."""

__version__ = "0.1.0"
__website__ = "https://acestep-mcp.example"
"""Where the project is found. `.example` leads nowhere: docs/releasing.md says what to do before the first release."""

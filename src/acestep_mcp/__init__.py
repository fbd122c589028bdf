"""Music for language models: the ACE-Step endpoints as MCP tools."""

__version__ = "0.1.0"

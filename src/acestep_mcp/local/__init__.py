"""The engine server of this machine: how others find it, and how it is started when there is none."""

from acestep_mcp.local.engine import OCCUPIED, Idle, Local
from acestep_mcp.local.state import Running, folder_of, kept, proof, read

__all__ = ["OCCUPIED", "Idle", "Local", "Running", "folder_of", "kept", "proof", "read"]

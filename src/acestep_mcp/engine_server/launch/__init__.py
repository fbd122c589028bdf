"""The engine server of this machine: how other programs find it, and start it when there is none."""

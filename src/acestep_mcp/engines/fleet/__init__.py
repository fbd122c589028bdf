"""Engines on the machines of a Ray cluster: Ray places them, the engine server's queue decides what they play."""

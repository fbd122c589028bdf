"""The engine server of this machine: how others find it, and how it is started when there is none."""

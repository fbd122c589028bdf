"""The queue client: how all music is made, at fal, at an engine server, or in this process."""

from acestep_mcp.client.handle import RequestHandle, SubmitOptions
from acestep_mcp.client.host import FAL_QUEUE, FAL_REST, IN_PROCESS, Host, Transport, in_process
from acestep_mcp.client.pool import ClientPool
from acestep_mcp.client.queue import QueueClient
from acestep_mcp.client.replies import NOT_FINISHED

__all__ = [
    "FAL_QUEUE",
    "FAL_REST",
    "IN_PROCESS",
    "NOT_FINISHED",
    "ClientPool",
    "Host",
    "QueueClient",
    "RequestHandle",
    "SubmitOptions",
    "Transport",
    "in_process",
]

"""Every request that leaves the process and does not go to the queue: sources, results, uploads, webhooks, chat.

One guard decides where such a request may go: public https only, but for origins that the caller names. A host's
name is resolved once, every address of it must be public, and the connection is made to a checked address, so that
a name cannot change its meaning in between. The certificate is still checked for the name.
"""

from acestep_mcp.fetch.addresses import Resolver, is_public
from acestep_mcp.fetch.answers import Answer, NoAnswer, http_errors, read_answer
from acestep_mcp.fetch.download import MAX_FILE, download
from acestep_mcp.fetch.guard import Body, Reach, opened, origin, send, trust

__all__ = [
    "MAX_FILE",
    "Answer",
    "Body",
    "NoAnswer",
    "Reach",
    "Resolver",
    "download",
    "http_errors",
    "is_public",
    "opened",
    "origin",
    "read_answer",
    "send",
    "trust",
]

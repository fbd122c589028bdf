"""Every request that leaves the process and does not go to the queue: sources, results, uploads, webhooks, chat.

One guard decides where such a request may go: public https only, but for origins that the caller names. A host's
name is resolved once, every address of it must be public, and the connection is made to a checked address, so that
a name cannot change its meaning in between. The certificate is still checked for the name.
"""

"""HTTP: requests to other machines (sources, results, uploads, webhooks, chat), and listening for both servers.

`ssrf` decides where a request may go: public https only, except for origins that the caller names. A host name is
resolved once, all of its addresses must be public, and the connection is made to a checked address, so the name
cannot resolve to another one in between. The certificate is still checked against the name.
"""

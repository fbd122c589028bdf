"""The engine server: fal's queue protocol in front of an engine. `app.serving` opens it, `serve.serve` runs it on a port.

From the protocol down: `app` (the ASGI app), `auth` (Host, Origin, key), `proxy` (one address for all of fal's hosts),
`job_routes` and `file_routes` (handlers), `wire` (JSON shapes), `job_queue` (jobs in order), `worker` (one engine, one
job at a time), `source_loader` and `results` (audio in and out), `webhooks` and `signing`, `job_store` (SQLite) and
`file_store`.
"""

"""The engine server: fal's queue wire in front of an engine. `queue.app.serving` opens it.

Inside, from the wire down: `app` (routes), `guard` (who may come in), `proxy` (one address for all),
`tickets` and `uploads` (what they ask), `wire` (how it is written), `line` (jobs in order), `worker` (one engine, one
job at a time), `sources` and `results` (audio in and out), `webhooks` and `signing` (word of an end), `records`
(SQLite) and `storage` (files).
"""

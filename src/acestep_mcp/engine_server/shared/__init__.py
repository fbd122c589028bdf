"""One queue for several engine servers: jobs and uploads in PostgreSQL, files behind fsspec. Needs the extra `fronts`.

`database` (connections, migrations, notifications), `job_table` (jobs as rows), `queue` (what one front knows of them),
`upkeep` (leases), `uploads`, `files`, and `backend`, which opens all of them.
"""

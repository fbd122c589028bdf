"""Uploads are reused while they are recent."""

from acestep_mcp.library import uploads
from acestep_mcp.library.database import Database
from acestep_mcp.library.uploads import Uploads

HOST = "https://rest.example"


def test_an_upload_is_found_by_host_and_digest_in_every_process_until_it_expires(tmp_path, monkeypatch):
    one, two = (Database(tmp_path / "jobs.sqlite3") for _ in range(2))
    Uploads(one).remember(HOST, "digest", "https://files.example/old.wav")
    Uploads(one).remember(HOST, "digest", "https://files.example/new.wav")
    found = Uploads(two)
    assert found.find(HOST, "digest") == "https://files.example/new.wav"
    assert found.find("https://other.example", "digest") is None
    assert found.find(HOST, "another") is None
    monkeypatch.setattr(uploads, "REUSED_SECONDS", -1)
    assert found.find(HOST, "digest") is None
    for database in (one, two):
        database.close()

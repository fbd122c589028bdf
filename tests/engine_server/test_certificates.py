"""The throwaway authority: made once, and anew only when what is there will not do."""

from __future__ import annotations

import ssl

import pytest

from acestep_mcp.engine_server.certificates import NAMES, identity


def test_it_is_made_once(tmp_path):
    first = identity(tmp_path / "tls", ["box"])
    before = first.server.read_bytes(), first.authority.read_bytes()
    again = identity(tmp_path / "tls")  # fewer names are no reason for another
    assert (again.server.read_bytes(), again.authority.read_bytes()) == before


def test_it_is_made_anew_for_another_name(tmp_path):
    before = identity(tmp_path).authority.read_bytes()
    assert identity(tmp_path, ["192.0.2.7"]).authority.read_bytes() != before


@pytest.mark.parametrize("name", ["acestep-server.pem", "acestep-ca.pem"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_spoilt_file_is_replaced_together_with_its_other_half(tmp_path, name, content):
    identity(tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    _works(tmp_path)


def test_halves_of_two_pairs_are_replaced(tmp_path):
    one, other = identity(tmp_path / "one"), identity(tmp_path / "other")
    one.authority.write_bytes(other.authority.read_bytes())
    _works(tmp_path / "one")


@pytest.mark.parametrize("name", [*NAMES, "box"])
def test_the_strictest_check_takes_it_under_each_name(tmp_path, name):
    _works(tmp_path, name)


def _works(folder, name: str = "localhost") -> None:
    """A handshake in memory, as strict as the standard library can be."""
    made = identity(folder, [name])
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(made.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server.load_cert_chain(made.server)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ends[0].getpeercert()["subject"]

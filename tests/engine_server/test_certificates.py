"""The throwaway authority: made once, and replaced only when the files there cannot be used."""

from __future__ import annotations

import ssl
import sys
from datetime import timedelta

import pytest
from cryptography import x509

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.certificates import NAMES, tls_files


def test_it_is_made_once(tmp_path):
    first = tls_files(tmp_path / "tls", ["box"])
    before = first.server.read_bytes(), first.authority.read_bytes()
    again = tls_files(tmp_path / "tls")  # fewer names are no reason for another
    assert (again.server.read_bytes(), again.authority.read_bytes()) == before


def test_it_is_replaced_for_another_name(tmp_path):
    before = tls_files(tmp_path).authority.read_bytes()
    assert tls_files(tmp_path, ["192.0.2.7"]).authority.read_bytes() != before


@pytest.mark.parametrize("name", ["acestep-server.pem", "acestep-ca.pem"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_file_is_replaced_together_with_its_other_half(tmp_path, name, content):
    tls_files(tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    _works(tmp_path)


def test_halves_of_two_pairs_are_replaced(tmp_path):
    one, other = tls_files(tmp_path / "one"), tls_files(tmp_path / "other")
    one.authority.write_bytes(other.authority.read_bytes())
    _works(tmp_path / "one")


@pytest.mark.parametrize("name", [*NAMES, "box"])
def test_the_strictest_check_takes_it_under_each_name(tmp_path, name):
    _works(tmp_path, name)


@pytest.mark.parametrize("name", ["", "a b", "a@b", "10.0.0.0/8", "my_box", "xn--", "x" * 300, "b\u00fccher", "\ud800"])
def test_an_impossible_name_is_a_configuration_error(tmp_path, name):
    with pytest.raises(ConfigurationError, match="No certificate can be made"):
        tls_files(tmp_path, [name])


def test_it_lasts_no_longer_than_the_strictest_system_takes(tmp_path):
    leaf = x509.load_pem_x509_certificate(tls_files(tmp_path).server.read_bytes())
    assert timedelta(days=800) < leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=825)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_can_read_the_key_and_everyone_the_authority(tmp_path):
    made = tls_files(tmp_path / "tls")
    assert [path.stat().st_mode & 0o777 for path in (made.server, made.authority)] == [0o600, 0o644]
    assert b"PRIVATE" not in made.authority.read_bytes()


def _works(folder, name: str = "localhost") -> None:
    """A handshake in memory, as strict as the standard library can be."""
    made = tls_files(folder, [name])
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

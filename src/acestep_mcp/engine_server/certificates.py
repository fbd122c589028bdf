"""A throwaway certificate authority and one server certificate, for clients that only speak TLS.

trustme makes both. Checking what is in the folder, and when it has to be replaced, is not part of trustme.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.file_store import storage_errors, write_secret

if TYPE_CHECKING:
    from cryptography import x509

NAMES = ("fal.run", "queue.fal.run", "rest.fal.ai", "v3.fal.media", "localhost", "127.0.0.1", "::1")
"""fal's own hosts, for clients whose connections are redirected here, and this machine."""
_LIFE = timedelta(days=820)  # some systems refuse a server certificate that is valid for more than 825
_LAST_DAYS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files: `server` holds the key and certificate of a TLS server, `authority` what its clients have to trust."""

    server: Path
    authority: Path


def tls_files(folder: Path, names: Iterable[str] = ()) -> TlsFiles:
    """The certificate for `NAMES` and these names or addresses, made once in `folder`.

    It is replaced, with its authority, when a name is missing, it expires within a week, or a file is damaged. The
    authority's key is never written: no further certificate that its clients would trust can be made.
    Raises ConfigurationError without the trustme package or for an impossible name, StorageError.
    """
    wanted = list(dict.fromkeys([*NAMES, *names]))
    files = TlsFiles(folder / "acestep-server.pem", folder / "acestep-ca.pem")
    try:
        general = {_general(name) for name in wanted}
        if not _is_good(files, general):
            _make(files, wanted)
    except ImportError as exc:
        raise ConfigurationError(
            "Certificates are made with the trustme package, which is not installed. "
            "Install it (pip install 'acestep-mcp[engine]'), or start the server without --tls-dir."
        ) from exc
    return files


def _general(name: str) -> x509.GeneralName:
    import idna
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        idna.encode(name.removeprefix("*."))  # as trustme does, which takes mail addresses and networks too
        return x509.DNSName(name)
    except ValueError as exc:
        message = f"No certificate can be made for {name!r}. Give a plain host name (an international one as xn--...)."
        raise ConfigurationError(message) from exc


def _is_good(files: TlsFiles, wanted: set[x509.GeneralName]) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        server = files.server.read_bytes()
        leaf, authority = (x509.load_pem_x509_certificate(pem) for pem in (server, files.authority.read_bytes()))
        leaf.verify_directly_issued_by(authority)
        own = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fits = load_pem_private_key(server, None).public_key() == leaf.public_key()
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    except OSError as exc:
        raise ConfigurationError(
            f"The certificates in {files.server.parent} cannot be read: {exc.strerror or exc}. "
            "Make them readable, or give another --tls-dir."
        ) from exc
    return fits and wanted <= set(own) and leaf.not_valid_after_utc > datetime.now(UTC) + _LAST_DAYS


def _make(files: TlsFiles, names: list[str]) -> None:
    import trustme

    now = datetime.now(UTC)
    authority = trustme.CA(path_length=0, organization_name="acestep-mcp", organization_unit_name="throwaway authority")
    start = now - timedelta(hours=1)  # clocks differ
    leaf = authority.issue_cert(
        *names,
        organization_name="acestep-mcp",
        organization_unit_name="engine",
        not_before=start,
        not_after=now + _LIFE,
    )
    with storage_errors(files.server.parent):
        files.server.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(files.server, leaf.private_key_and_cert_chain_pem.bytes())
    write_secret(files.authority, authority.cert_pem.bytes())
    with storage_errors(files.authority):
        files.authority.chmod(0o644)  # not secret: clients of other users read it

"""A throwaway certificate authority and one server certificate, for clients that speak nothing but TLS."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.file_store import keep_secret, storage_errors

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey as Key

NAMES = ("fal.run", "queue.fal.run", "rest.fal.ai", "v3.fal.media", "localhost", "127.0.0.1", "::1")
"""fal's own hosts, for clients whose connections are led here, and this machine."""
_LIFE = timedelta(days=820)  # some systems refuse a server's certificate that lasts longer than 825
_LAST_DAYS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a TLS server needs (`server`: key and certificate in one file) and what its clients trust (`authority`)."""

    server: Path
    authority: Path


def identity(folder: Path, names: Iterable[str] = ()) -> Identity:
    """The certificate for `NAMES` and these names or addresses, made once in `folder`.

    It is made anew, with its authority, when a name is missing, it ends within a week, or a file is spoilt. The
    authority's key is forgotten as soon as it has signed: nobody can make another certificate that its clients trust.
    Raises ConfigurationError without the cryptography package or for an impossible name, StorageError.
    """
    wanted = list(dict.fromkeys([*NAMES, *names]))
    files = Identity(folder / "acestep-server.pem", folder / "acestep-ca.pem")
    try:
        general = {_general(name) for name in wanted}
        if not _is_good(files, general):
            _make(files, wanted)
    except ImportError as exc:
        raise ConfigurationError(
            "Certificates are made with the cryptography package, which is not installed. "
            "Install it (pip install 'acestep-mcp[engine]'), or start the server without --tls-dir."
        ) from exc
    return files


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as exc:
        words = f"No certificate can be made for {name!r}. Give a plain host name (an international one as xn--...)."
        raise ConfigurationError(words) from exc


def _is_good(files: Identity, wanted: set[x509.GeneralName]) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        held = files.server.read_bytes()
        leaf, authority = (x509.load_pem_x509_certificate(pem) for pem in (held, files.authority.read_bytes()))
        leaf.verify_directly_issued_by(authority)
        own = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fits = load_pem_private_key(held, None).public_key() == leaf.public_key()
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    except OSError as exc:
        raise ConfigurationError(
            f"The certificates in {files.server.parent} cannot be read: {exc.strerror or exc}. "
            "Make them readable, or give another --tls-dir."
        ) from exc
    return fits and wanted <= set(own) and leaf.not_valid_after_utc > datetime.now(UTC) + _LAST_DAYS


def _make(files: Identity, names: list[str]) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(authority_key)
    leaf = _leaf(key, authority, authority_key, names)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with storage_errors(files.server.parent):
        files.server.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_secret(files.server, private + leaf.public_bytes(pem))
    keep_secret(files.authority, authority.public_bytes(pem))
    with storage_errors(files.authority):
        files.authority.chmod(0o644)  # no secret: clients of other users read it


def _authority(key: Key) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _named("acestep-mcp throwaway authority")
    may = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**may, key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf(key: Key, authority: x509.Certificate, authority_key: Key, names: list[str]) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(_named("acestep-mcp engine"), authority.subject, key)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _named(text: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )

"""Webhook signatures in fal's format, so that checks written for fal accept them."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.file_store import storage_errors, write_secret

USER = "engine"
"""In the place of fal's user id: an engine server has one user."""
_KEY_BYTES = 32


class Signer:
    """An Ed25519 key in a file that only its owner may read, created when missing.

    Raises ConfigurationError without the cryptography package or with an unreadable key, StorageError.
    """

    def __init__(self, path: Path) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        except ImportError as exc:
            raise ConfigurationError(
                "Webhooks are signed with the cryptography package, which is not installed. "
                "Install it (pip install 'acestep-mcp[engine]'), or start the server without webhooks."
            ) from exc
        secret = _secret(path)
        if len(secret) != _KEY_BYTES:
            raise ConfigurationError(f"{path} is not a webhook key. Remove it to have a new one made.")
        self._key = Ed25519PrivateKey.from_private_bytes(secret)

    def headers(self, request_id: str, body: bytes) -> dict[str, str]:
        """The four headers of a delivery. Signed are request, user, time and the body's SHA-256, one per line."""
        now = str(int(time.time()))
        message = "\n".join((request_id, USER, now, hashlib.sha256(body).hexdigest()))
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": USER,
            "X-Fal-Webhook-Timestamp": now,
            "X-Fal-Webhook-Signature": self._key.sign(message.encode()).hex(),
        }

    def key_set(self) -> dict[str, Any]:
        """The public key as receivers fetch it (JWKS)."""
        public = base64.urlsafe_b64encode(self._key.public_key().public_bytes_raw()).rstrip(b"=").decode()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "x": public}]}


def _secret(path: Path) -> bytes:
    """The key in the file."""
    with storage_errors(path.parent):
        if not path.exists():
            write_secret(path, os.urandom(_KEY_BYTES))
        return path.read_bytes()

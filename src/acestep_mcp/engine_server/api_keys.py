"""Several keys for one engine server, each with a name and limits, from a TOML file. No message contains a key."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, QueueError
from acestep_mcp.api.text import decode_text, shown
from acestep_mcp.net.keys import usable

MAX_KEYS = 1000
RETRY_AFTER = 5
"""Seconds that a caller is asked to wait while too many of its requests wait."""
_MAX_FILE = 1 << 20
_MAX_LIMIT = 100_000
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._@-]{0,63}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
_PLACE = re.compile(r"\(at ([^()]*)\)$")
_FIELDS = ("key", "sha256", "max_running", "max_waiting")
_EXAMPLE = 'Write a table for each key, such as [keys.anna] with key = "..." below it.'


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by its SHA-256. Of its jobs at most `max_running` run and at most `max_waiting` wait; None is no limit."""

    name: str
    digest: bytes = field(repr=False)
    max_running: int | None = None
    max_waiting: int | None = None


class ApiKeys:
    """`secrets` are the keys that the file holds themselves, which no log may contain.

    `exposure` says what other users of this machine can do with the file and should not.
    """

    def __init__(self, keys: Sequence[ApiKey], secrets: tuple[str, ...] = (), exposure: str | None = None) -> None:
        self.exposure = exposure
        self._keys = {key.name: key for key in keys}
        self._limited = [key for key in keys if key.max_running is not None]
        self.secrets = secrets

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._keys)

    def owner(self, given: str) -> str | None:
        """The name of a key that a caller has sent, None for a wrong one. It takes as long for any of them."""
        digest, found = _digest_of(given), None
        for key in self._keys.values():
            if hmac.compare_digest(key.digest, digest):
                found = key.name
        return found

    def full(self, running: Mapping[str, int]) -> list[str]:
        """Those of whose jobs no more may run, where so many of each run."""
        return [key.name for key in self._limited if running.get(key.name, 0) >= (key.max_running or 0)]

    def max_waiting(self, name: str) -> int | None:
        """None for a name that is not in the file too: its jobs are from an earlier start."""
        return self._keys[name].max_waiting if name in self._keys else None

    def check_waiting(self, name: str, waiting: int) -> None:
        """Raises QueueError (429) where another job would be more than may wait."""
        most = self.max_waiting(name)
        if most is not None and waiting >= most:
            raise QueueError(
                f"{waiting} of your requests are waiting, and your key may have {most}. Wait until one of them has begun, "
                "or cancel one, then submit again.",
                status=429,
                error_type="too_many_waiting",
                retry_after=RETRY_AFTER,
            )


def read(file: Path) -> ApiKeys:
    """Raises ConfigurationError, which names the entry that is wrong and says what is right."""
    content, mode = _content(file)
    entries = _entries(file, content)
    keys: dict[bytes, ApiKey] = {}
    for name, entry in entries.items():
        where = f"The entry {shown(name)} in {file}"
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{where} has a name that cannot be used. A name has 1 to 64 letters, digits, dots, dashes, underscores "
                "and @, and begins with a letter or digit."
            )
        key = _key(name, entry, where)
        if earlier := keys.get(key.digest):
            raise ConfigurationError(f"{where} has the same key as the entry {earlier.name!r}. Give each its own key.")
        keys[key.digest] = key
    plain = tuple(entry["key"].strip() for entry in entries.values() if "key" in entry)
    return ApiKeys(list(keys.values()), plain, _exposure(file, mode, has_keys=bool(plain)))


def _content(file: Path) -> tuple[bytes, int]:
    """What the file holds, and its mode."""
    try:
        with file.open("rb") as opened:  # a pipe works too
            content, mode = opened.read(_MAX_FILE + 1), os.fstat(opened.fileno()).st_mode
    except OSError as exc:
        raise ConfigurationError(f"The file of keys {file} cannot be read. {_EXAMPLE}") from exc
    if len(content) > _MAX_FILE:
        raise ConfigurationError(f"The file of keys {file} is larger than {_MAX_FILE >> 20} MiB. Give a smaller one.")
    return content, mode


def _exposure(file: Path, mode: int, *, has_keys: bool) -> str | None:
    if os.name != "posix" or not stat.S_ISREG(mode):
        return None
    bits = {"read": 0o044 if has_keys else 0, "change": 0o022}
    found = " and ".join(what for what in bits if mode & bits[what])
    shown_mode = f"(mode {stat.S_IMODE(mode):o})"
    return (
        f"Other users of this machine can {found} {file} {shown_mode}. `chmod 600 {file}` changes that."
        if found
        else None
    )


def _entries(file: Path, content: bytes) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(decode_text(content))
    except tomllib.TOMLDecodeError as exc:
        place = _PLACE.search(str(exc))
        # Nothing else of the error: it may hold a part of the file.
        raise ConfigurationError(
            f"The file of keys {file} is not TOML{f', at {place[1]}' if place else ''}. {_EXAMPLE}"
        ) from None
    except (ValueError, RecursionError) as exc:
        raise ConfigurationError(f"The file of keys {file} cannot be read. {_EXAMPLE}") from exc
    if strange := next((name for name in found if name != "keys"), None):
        raise ConfigurationError(f"The file of keys {file} has {shown(strange)} outside [keys]. {_EXAMPLE}")
    entries = found.get("keys")
    if not isinstance(entries, dict) or not entries:
        raise ConfigurationError(f"The file of keys {file} has no key. {_EXAMPLE}")
    if len(entries) > MAX_KEYS:
        raise ConfigurationError(f"The file of keys {file} has {len(entries)} keys, and {MAX_KEYS} is the most.")
    return entries


def _key(name: str, entry: Any, where: str) -> ApiKey:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where} is not a table. {_EXAMPLE}")
    if strange := next((each for each in entry if each not in _FIELDS), None):
        raise ConfigurationError(
            f"{where} has {shown(strange)}, which means nothing. It may have {', '.join(_FIELDS)}."
        )
    if ("key" in entry) == ("sha256" in entry):
        raise ConfigurationError(
            f"{where} must have either key, the key itself, or sha256, its SHA-256 in 64 hexadecimal digits."
        )
    return ApiKey(
        name, _given_digest(entry, where), _limit(entry, "max_running", where), _limit(entry, "max_waiting", where)
    )


def _given_digest(entry: Mapping[str, Any], where: str) -> bytes:
    given = entry.get("key", entry.get("sha256"))
    if "key" in entry:
        if not isinstance(given, str):
            raise ConfigurationError(f'{where} has a key that is not a text. Write it in quotes: key = "...".')
        return _digest_of(usable(given, f"{where}: its key"))
    if not isinstance(given, str) or not _DIGEST.fullmatch(given):
        raise ConfigurationError(
            f"{where} has a sha256 that is not 64 hexadecimal digits in quotes. `printf %s KEY | sha256sum` prints them."
        )
    return bytes.fromhex(given)


def _limit(entry: Mapping[str, Any], limit: str, where: str) -> int | None:
    value = entry.get(limit)
    if limit not in entry:
        return None
    if type(value) is not int or not 1 <= value <= _MAX_LIMIT:
        raise ConfigurationError(
            f"{where} has {limit} = {shown(value)}. It must be a whole number from 1 to {_MAX_LIMIT}, or left out for no limit."
        )
    return value


def _digest_of(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()

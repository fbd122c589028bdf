"""Resolve `audio_url` to an audio file on disk or an address to pass on."""

from __future__ import annotations

import base64
import binascii
import contextlib
import difflib
import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from acestep_mcp.api.edits import LONGEST_SOURCE
from acestep_mcp.api.errors import FieldError, InvalidRequest, NotFound
from acestep_mcp.files import DATA_ADVICE, atomic, make_folder
from acestep_mcp.library.models import Track

ACCEPTED = (
    "a track id or acestep:// uri, the absolute path of an audio file (or a file:// URI) in the music folder or "
    "an allowed folder, the bare name of a file there, an https:// address, or a data: URI of audio"
)
MAX_DATA_URI = 64 * 2**20
UPLOAD_LIFETIME = 24 * 3600.0
_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".oga", ".aif", ".aiff", ".opus", ".w64", ".au", ".caf"})
_TRACK_ID = re.compile(r"[0-9a-z]{16}")
_WINDOWS_PATH = re.compile(r"^([A-Za-z]:[\\/]|\\\\)")
_DATA = re.compile(r"^data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)


@dataclass(frozen=True, slots=True)
class LocalSource:
    """An audio file on this machine, checked by its header and both ends. `parent` is its track id, if it is a track."""

    path: Path
    seconds: float
    content_type: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """An https address, passed on unchanged."""

    url: str


class Inputs:
    """Reads only from the allowed folders, and only audio.

    `find` returns a track by id, URI or file name (NotFound otherwise); `scratch` holds data URIs and uploads.
    """

    def __init__(self, allowed: tuple[Path, ...], scratch: Path, find: Callable[[str], Track]) -> None:
        self._allowed = tuple(folder.resolve() for folder in allowed)
        self._scratch = scratch.resolve()
        self._find = find

    def resolve(self, given: str) -> LocalSource | RemoteSource:
        """Raises InvalidRequest (field `audio_url`) that lists what is accepted, with near matches for a missing file."""
        try:
            return self._resolve(given.strip())
        except (ValueError, RuntimeError) as exc:  # an address or path that Python cannot parse
            raise _rejected(f"{_short(given)} cannot be read ({exc}). Give {ACCEPTED}.") from exc

    def _resolve(self, given: str) -> LocalSource | RemoteSource:
        scheme = "" if _WINDOWS_PATH.match(given) else urlsplit(given).scheme.lower()
        match scheme:
            case "https":
                return RemoteSource(given)
            case "data":
                return self._data(given)
            case "upload":
                return self._upload(given)
            case "acestep":
                return self._track(given)
            case "file":
                return self._local(_file_path(given))
            case "":
                return self._named(given)
        raise _rejected(f"{scheme}: addresses are not accepted. Give {ACCEPTED}.")

    def prune(self, needed: Collection[str]) -> None:
        """Remove uploads and saved data: URIs that are older than a day and that no open job needs."""
        oldest = time.time() - UPLOAD_LIFETIME
        with contextlib.suppress(OSError):
            for path in self._scratch.iterdir():
                if path.stat().st_mtime < oldest and str(path) not in needed:
                    path.unlink()

    def _named(self, given: str) -> LocalSource:
        path = Path(given).expanduser()
        if path.is_absolute():
            return self._local(path)
        if _TRACK_ID.fullmatch(given):
            return self._track(given)
        if "/" in given or "\\" in given:
            raise _rejected(
                f"{_short(given)} is a relative path, and there is no folder it is relative to. Give {ACCEPTED}."
            )
        return self._bare(given)

    def _track(self, given: str) -> LocalSource:
        try:
            track = self._find(given)
        except NotFound as exc:
            raise _rejected(exc.message) from exc
        if track.deleted:
            raise _rejected(f"track {track.id} is in the trash; call delete_track with restore=true to bring it back.")
        return _probed(track.path, parent=track.id)

    def _local(self, path: Path) -> LocalSource:
        real = path.resolve()  # links are followed first: their target decides
        if not any(real.is_relative_to(folder) for folder in self._allowed):
            folders = ", ".join(map(str, self._allowed))
            raise _rejected(
                f"{path} lies outside the folders that may be read ({folders}). Move the file there, or add its "
                "folder to ACESTEP_ALLOWED_DIRS."
            )
        if not real.is_file():
            raise _rejected(f"there is no file {path}. {self._near(path.name)}")
        return _probed(real, parent=self._parent(real))

    def _bare(self, name: str) -> LocalSource:
        found = [path for path in self._files() if path.name == name]
        if len(found) == 1:
            return self._local(found[0])
        if found:
            places = ", ".join(str(path) for path in found[:5])
            raise _rejected(f"There is more than one {name!r}: {places}. Give the absolute path of one of them.")
        raise _rejected(
            f"there is no file {_short(name)} in the allowed folders. {self._near(name)} Accepted are {ACCEPTED}."
        )

    def _parent(self, path: Path) -> str | None:
        """The id of the track whose file this is, if any."""
        try:
            track = self._find(path.name)
        except NotFound:
            return None
        return track.id if track.path.resolve() == path else None

    def _files(self) -> Iterator[Path]:
        for folder in dict.fromkeys(self._allowed):
            if folder.is_dir():
                yield from (path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES)

    def _near(self, name: str) -> str:
        names = [path.name for path in self._files()]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        return f"Near matches: {', '.join(near)}." if near else "list_tracks shows the songs that are here."

    def _data(self, given: str) -> LocalSource:
        if len(given) > MAX_DATA_URI * 4 // 3 + 200:
            raise _rejected(f"the data: URI is larger than {MAX_DATA_URI >> 20} MiB. Save the audio as a file instead.")
        head = _DATA.match(given)
        if head is None:
            raise _rejected("the data: URI is malformed: it must look like data:audio/wav;base64,UklGR...")
        body = given[head.end() :]
        try:
            data = base64.b64decode(unquote(body), validate=True) if head[3] else unquote(body).encode("latin-1")
        except (binascii.Error, UnicodeEncodeError) as exc:
            raise _rejected(f"the data: URI cannot be decoded ({exc}). Send the whole file, base64-encoded.") from exc
        return self._saved(data)

    def _saved(self, data: bytes) -> LocalSource:
        """Save a data: URI as a file named by its content, so that a job can be resumed without the URI."""
        make_folder(self._scratch, DATA_ADVICE, private=True)
        path = self._scratch / f"{hashlib.sha256(data).hexdigest()[:32]}.audio"
        with atomic(path, DATA_ADVICE, private=True) as temp:
            temp.write_bytes(data)
            local = _probed(temp, name="the data: URI")
        return replace(local, path=path)

    def _upload(self, given: str) -> LocalSource:
        name = given.removeprefix("upload://")
        path = (self._scratch / name).resolve()
        if not re.fullmatch(r"[A-Za-z0-9_-]{16,64}\.[a-z0-9]{2,5}", name) or not path.is_file():
            raise _rejected("that upload is unknown or has expired. Upload the file again.")
        return _probed(path, name="the upload")


def _probed(path: Path, *, parent: str | None = None, name: str = "") -> LocalSource:
    """Check the header and both ends: only audio is read or sent on. The engine decodes all of it."""
    from acestep_mcp.audio.read import probe_source

    properties = probe_source(path, max_seconds=LONGEST_SOURCE, name=name)
    return LocalSource(path, properties.seconds, properties.content_type, parent)


def _file_path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise _rejected(f"{_short(uri)} names another machine. Give {ACCEPTED}.")
    return Path(url2pathname(parts.path))


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _rejected(message: str) -> InvalidRequest:
    return InvalidRequest.of(FieldError("audio_url", message))

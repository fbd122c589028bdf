"""Resolve `audio_url` to an audio file on disk or an address to pass on."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from acestep_mcp.api.edits import LONGEST_SOURCE
from acestep_mcp.api.errors import Ambiguous, FieldError, InvalidRequest, NotFound
from acestep_mcp.api.wording import COMMANDS, TOOLS
from acestep_mcp.files import DATA_ADVICE, atomic, make_folder, names_machine, open_inside, open_resolved
from acestep_mcp.library.file_search import FileSearch
from acestep_mcp.library.models import Track
from acestep_mcp.net.data_uris import is_data_uri, read_data_uri

ACCEPTED = (
    "a track id or acestep:// uri, the absolute path of an audio file (or a file:// URI) in the music folder or "
    "an allowed folder, the bare name of a file there, an https:// address, or a data: URI of audio"
)
ACCEPTED_FROM_A_PERSON = (
    "the path of an audio file, a track id, the name of a file in the music folder, an https:// address, or a data: URI "
    "of audio"
)
MAX_DATA_URI = 64 * 2**20
UPLOAD_LIFETIME = 24 * 3600.0
_TRACK_ID = re.compile(r"[0-9a-z]{16}")
_UPLOAD = re.compile(r"[A-Za-z0-9_-]{16,64}\.[a-z0-9]{2,5}")
_WINDOWS_PATH = re.compile(r"^([A-Za-z]:[\\/]|\\\\)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]+")
_LONGEST_PATH = 1024
_LONGEST_ADDRESS = 8192
_QUOTED = re.compile("(?s)[<\"'`\u2018\u201c\u00ab\u2039](.+)[\"'`\u2019\u201d\u00bb\u203a>]")


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
    """Reads only audio, and only from the allowed folders.

    With `working_dir` the caller is a person at a terminal: any file that this person can read is accepted, and relative
    paths start there. `find` returns a track by id, URI, path or file name (NotFound otherwise); `scratch` holds data URIs
    and uploads.
    """

    def __init__(
        self, allowed: tuple[Path, ...], scratch: Path, find: Callable[[str], Track], working_dir: Path | None = None
    ) -> None:
        self._files = FileSearch(allowed, working_dir)
        self._scratch = scratch.resolve()
        self._find = find
        self._working_dir = working_dir
        self._wording = COMMANDS if working_dir else TOOLS
        self._accepted = ACCEPTED_FROM_A_PERSON if working_dir else ACCEPTED

    def resolve(self, given: str) -> LocalSource | RemoteSource:
        """Raises InvalidRequest (field `audio_url`) that lists what is accepted, with near matches for a missing file."""
        try:
            return self._resolve(given.strip())
        except Ambiguous as exc:
            raise _rejected(exc.message) from exc
        except (ValueError, RuntimeError, OSError) as exc:  # an address or path that Python or the system cannot parse
            reason = exc.strerror if isinstance(exc, OSError) else exc  # and not the name again, which may be long
            raise _rejected(f"{_short(given)} cannot be read ({reason}). Give {self._accepted}.") from exc

    def _resolve(self, given: str) -> LocalSource | RemoteSource:
        quoted = _QUOTED.fullmatch(given)
        if quoted and ("://" in quoted[1] or is_data_uri(quoted[1])):
            given = quoted[1]
        if is_data_uri(given) or _is_bare_base64(given):
            return self._data(given)
        scheme = self._scheme(given)
        match scheme:
            case "https":
                return RemoteSource(given)
            case "upload":
                return self._upload(given)
            case "acestep":
                return self._track(given)
            case "file":
                return self._named(*self._paths_of(given))
        if "://" in given:
            raise _rejected(f"{scheme}: addresses are not accepted. Give {self._accepted}.")
        return self._named(given, *_other_spellings(given))  # a file's name may hold a colon

    def _scheme(self, given: str) -> str:
        """The scheme of an address in lower case; empty for a path."""
        if len(given) > _LONGEST_ADDRESS:
            raise _rejected(
                f"{_short(given)} has {len(given)} characters, and an address or a path has at most {_LONGEST_ADDRESS}. "
                f"Give {self._accepted}."
            )
        return "" if _WINDOWS_PATH.match(given) else urlsplit(given).scheme.lower()

    def prune(self, needed: Collection[str]) -> None:
        """Remove uploads and saved data: URIs that are older than a day and that no open job needs."""
        oldest = time.time() - UPLOAD_LIFETIME
        with contextlib.suppress(OSError):
            for path in self._scratch.iterdir():
                if path.stat().st_mtime < oldest and str(path) not in needed:
                    path.unlink()

    # -- names and paths

    def _named(self, *spellings: str) -> LocalSource:
        """The file of exactly this name, else the track, else the only file whose name looks like it."""
        given = spellings[0]
        if self._working_dir is None and any(names_machine(name, self._files.as_given) for name in spellings):
            raise _rejected(f"{_short(given)} names another machine. Give {self._accepted}.")
        is_id = _TRACK_ID.fullmatch(given) is not None
        paths = [_path(spelling) for spelling in spellings]
        found = self._first(self._files.exact, paths) or (None if is_id else self._first(self._files.alike, paths))
        if found or paths[0].is_absolute() or self._is_folder(paths[0]):
            return self._local(found or (self._working_dir or Path()) / paths[0])
        if is_id:
            return self._track(given)
        if track := self._known(given):
            return self._from(track)
        if self._working_dir is None and ("/" in given or "\\" in given):
            raise _rejected(
                f"{_short(given)} is a relative path, and there is no folder it is relative to. Give {self._accepted}."
            )
        where = f"in {self._working_dir} or the music folder" if self._working_dir else "in the allowed folders"
        raise _rejected(
            f"there is no file {_short(given)} {where}. {self._near(paths[0])} Accepted are {self._accepted}."
        )

    def _is_folder(self, path: Path) -> bool:
        return self._working_dir is not None and (self._working_dir / path).is_dir()

    @staticmethod
    def _first(find: Callable[[Path], Path | None], paths: Iterable[Path]) -> Path | None:
        return next(filter(None, map(find, paths)), None)

    def _track(self, given: str) -> LocalSource:
        try:
            track = self._find(given)
        except NotFound as exc:
            raise _rejected(exc.message) from exc
        return self._from(track)

    def _known(self, name: str) -> Track | None:
        """The track of this name. Raises Ambiguous when several look like it."""
        try:
            return self._find(name)
        except Ambiguous:
            raise
        except NotFound:
            return None

    def _from(self, track: Track) -> LocalSource:
        if track.deleted:
            raise _rejected(f"track {track.id} is in the trash; {self._wording.restore.format(track.id)} first.")
        with self._open(track.path) as file:
            return _probed(file, parent=track.id)

    def _local(self, path: Path) -> LocalSource:
        real = path.resolve()  # links are followed first: their target decides
        if not self._files.may_read(real):
            folders = ", ".join(map(str, self._files.folders))
            raise _rejected(
                f"{path} lies outside the folders that may be read ({folders}). Move the file there, or add its "
                "folder to ACESTEP_ALLOWED_DIRS."
            )
        if not real.exists():
            raise _rejected(f"there is no file {path}. {self._near(path)}")
        if not real.is_file():
            raise _rejected(
                f"{path} is {'a folder' if real.is_dir() else 'not a regular file'}. Give the path of a file."
            )
        with self._open(real) as file:  # a link may have taken its place since
            return _probed(file, parent=self._parent(real))

    def _open(self, path: Path) -> BinaryIO:
        """A file that lies, with all links followed, where the caller may read; its name is the resolved path."""
        return open_inside(path, self._files.folders) if self._working_dir is None else open_resolved(path.resolve())

    def _parent(self, path: Path) -> str | None:
        """The id of the track whose file this is, if any."""
        for name in (str(path), path.name):
            with contextlib.suppress(NotFound, OSError):
                track = self._find(name)
                if track.path.samefile(path):
                    return track.id
        return None

    def _near(self, wanted: Path) -> str:
        found = self._files.near(wanted)
        songs = f"To see the songs that are here, {self._wording.list_tracks}."
        return f"Near matches: {', '.join(found)}." if found else songs

    def _paths_of(self, uri: str) -> list[str]:
        """The paths that a file: URI may mean, also one whose author did not escape # or ?."""
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost"):
            raise _rejected(f"{_short(uri)} names another machine. Give {self._accepted}.")
        rest = uri.partition(":")[2].removeprefix("//").removeprefix(parts.netloc)
        return list(dict.fromkeys([url2pathname(parts.path), url2pathname(rest), rest]))

    # -- bytes in the call, and uploads

    def _data(self, given: str) -> LocalSource:
        if not is_data_uri(given):
            raise _rejected(
                f"{_short(given)} looks like base64 without its beginning. Put data:audio/wav;base64, before it, with the "
                "type of the audio."
            )
        # Every byte may be written as %XX.
        too_large = f"the data: URI is larger than {MAX_DATA_URI >> 20} MiB. Save the audio as a file instead."
        if len(given) > MAX_DATA_URI * 3 + 5000:
            raise _rejected(too_large)
        try:
            data = read_data_uri(given)
        except ValueError as exc:
            raise _rejected(f"the data: URI cannot be used: {exc}. Send the whole file, base64-encoded.") from exc
        if len(data) > MAX_DATA_URI:
            raise _rejected(too_large)
        return self._saved(data)

    def _saved(self, data: bytes) -> LocalSource:
        """Save a data: URI as a file named by its content, so that a job can be resumed without the URI."""
        make_folder(self._scratch, DATA_ADVICE, private=True)
        path = self._scratch / f"{hashlib.sha256(data).hexdigest()[:32]}.audio"
        with atomic(path, DATA_ADVICE, private=True) as temp:
            temp.write_bytes(data)
            with open_resolved(temp) as file:
                local = _probed(file, name="the data: URI")
        return replace(local, path=path)

    def _upload(self, given: str) -> LocalSource:
        name = given.removeprefix("upload://")
        try:
            with open_resolved(self._scratch / (name if _UPLOAD.fullmatch(name) else "")) as file:
                return _probed(file, name="the upload")
        except OSError as exc:
            raise _rejected("that upload is unknown or has expired. Upload the file again.") from exc


def _probed(file: BinaryIO, *, parent: str | None = None, name: str = "") -> LocalSource:
    """Check the header and both ends: only audio is read or sent on. The engine decodes all of it."""
    from acestep_mcp.audio.read import probe_source

    properties = probe_source(file, max_seconds=LONGEST_SOURCE, name=name)
    return LocalSource(Path(file.name), properties.seconds, properties.content_type, parent)


def _is_bare_base64(text: str) -> bool:
    return len(text) > _LONGEST_PATH and _BASE64.fullmatch(text[:_LONGEST_PATH]) is not None


def _path(text: str) -> Path:
    path = Path(text)
    with contextlib.suppress(RuntimeError):  # the name of a file may begin with ~
        path = path.expanduser()
    return path


def _other_spellings(given: str) -> Iterator[str]:
    """Without quotation marks around it, as file managers copy paths, and with %XX decoded, as in addresses."""
    if quoted := _QUOTED.fullmatch(given):
        yield quoted[1]
    if "%" in given and "\ufffd" not in (decoded := unquote(given)):
        yield decoded


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _rejected(message: str) -> InvalidRequest:
    return InvalidRequest.of(FieldError("audio_url", message))

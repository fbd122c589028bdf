"""Write songs: whole files with their tags, in a place of their own."""

from __future__ import annotations

from pathlib import Path

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.decoder import Decoder, opened
from acestep_mcp.audio.encoder import Shape, encode
from acestep_mcp.audio.read import probe
from acestep_mcp.audio.tags import riff
from acestep_mcp.audio.tags.file_tags import FileTags, Format, retag
from acestep_mcp.files import cannot_keep, free_name, publish, release, safe_stem, sweep, temporary

__all__ = [
    "CONTENT_TYPES",
    "Format",
    "convert_file",
    "free_name",
    "publish",
    "release",
    "safe_stem",
    "sweep",
    "temporary",
    "turn_into",
    "write",
]

CONTENT_TYPES: dict[Format, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
}


def write(path: Path, sound: Sound, *, format: Format, tags: FileTags) -> None:  # noqa: A002
    """Write a song with its tags; `path` is replaced whole or not touched at all, and not before it is on the disk.

    WAV and FLAC hold the samples exactly, at the sound's depth; equal sounds and tags give equal files. MP3 has no
    rate above 48 kHz: the sound is resampled to the next one it has. Raises StorageError when the file cannot be
    kept.
    """
    with temporary(path) as bare:
        with bare.open("w+b") as file:
            encode(file, [sound.pcm], Shape(sound.sample_rate, sound.channels, sound.bits), format)
        _finish(bare, path, format, tags)


def turn_into(source: Path, target: Path, *, format: Format, tags: FileTags) -> None:  # noqa: A002
    """`convert_file` for a source that nobody needs any more: it may be changed, and is gone afterwards.

    A WAV file that stays one is not copied, which is what a long song's way to its place would mostly take.
    """
    if format == "wav" and probe(source).format == "wav" and _retagged_in_place(source, tags):
        return publish(source, target)
    convert_file(source, target, format=format, tags=tags)
    source.unlink(missing_ok=True)
    return None


def _retagged_in_place(source: Path, tags: FileTags) -> bool:
    try:
        with source.open("r+b") as file:
            return riff.retag_in_place(file, tags.fields())
    except OSError as exc:
        raise cannot_keep(source, exc) from exc


def convert_file(source: Path, target: Path, *, format: Format, tags: FileTags) -> None:  # noqa: A002
    """Copy a song into another format, or into the same one with other tags, without loading it whole.

    Where the format stays, the sample data is copied byte for byte. `target` may be `source`. Raises InvalidRequest
    when the source is no whole audio file, StorageError when the target cannot be kept.
    """
    if probe(source).format == format and _retagged(source, target, format, tags):
        return
    with temporary(target) as bare:
        with opened(source) as decoder, bare.open("w+b") as file:
            encode(file, decoder.blocks(), _shape_of(decoder), format)
        _finish(bare, target, format, tags)


def _shape_of(decoder: Decoder) -> Shape:
    properties = decoder.properties
    return Shape(properties.sample_rate, properties.channels, properties.bits)


def _retagged(source: Path, target: Path, form: Format, tags: FileTags) -> bool:
    """Copy with other tags; False when the container is one that only the decoder understands (RF64, say)."""
    try:
        with temporary(target) as temp:
            with source.open("rb") as old, temp.open("wb") as new:
                retag(old, new, form, tags)
            publish(temp, target)
    except InvalidRequest:
        return False
    return True


def _finish(bare: Path, path: Path, form: Format, tags: FileTags) -> None:
    """Put the tags in and publish. Nothing is open by then: Windows replaces no open file."""
    with temporary(path) as tagged:
        with bare.open("rb") as source, tagged.open("wb") as target:
            retag(source, target, form, tags, fresh=True)
        publish(tagged, path)

"""Write complete audio files with their tags."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast, get_args

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.audio.decoder import Decoder, Properties, opened
from acestep_mcp.audio.encoder import Shape, encode
from acestep_mcp.audio.read import fitting_gain, probe
from acestep_mcp.audio.tags import riff
from acestep_mcp.audio.tags.file_tags import FileTags, Format, retag
from acestep_mcp.files import atomic, publish, reading, storage_errors, temporary

__all__ = ["Format", "convert_and_remove", "convert_file", "copy_with_tags", "write"]


def write(path: Path, sound: Sound, *, format: Format, tags: FileTags) -> None:  # noqa: A002
    """Write a song with its tags, atomically.

    WAV and FLAC hold the samples exactly, at the sound's depth; equal sounds and tags give equal files. MP3 has no
    rate above 48 kHz: the sound is resampled to the nearest one it has. Raises StorageError.
    """
    with temporary(path) as bare:
        with bare.open("w+b") as file:
            encode(file, [sound.pcm], Shape(sound.sample_rate, sound.channels, sound.bits), format)
        _finish(bare, path, format, tags)


def copy_with_tags(source: Path, stem: Path, tags: FileTags) -> Path | None:
    """A copy with other tags, named by its format, whose sample data is that of the source; None for a format that is not ours.

    Raises InvalidRequest when it is not a complete audio file, StorageError.
    """
    form = probe(source).format
    if form not in get_args(Format):
        return None
    target = stem.with_suffix(f".{form}")
    convert_file(source, target, format=cast("Format", form), tags=tags)
    return target


def convert_and_remove(source: Path, target: Path, *, format: Format, tags: FileTags) -> float:  # noqa: A002
    """`convert_file` that consumes its source: it may be changed, and is removed afterwards.

    A WAV file that stays WAV is retagged in place and renamed, not copied.
    """
    if format == "wav" and _can_be_copied(probe(source), format) and _retagged_in_place(source, tags):
        publish(source, target)
        return 1.0
    gain = convert_file(source, target, format=format, tags=tags)
    source.unlink(missing_ok=True)
    return gain


def _retagged_in_place(source: Path, tags: FileTags) -> bool:
    with storage_errors("write", source), source.open("r+b") as file:
        return riff.retag_in_place(file, tags.fields())


def convert_file(source: Path | BinaryIO, target: Path, *, format: Format, tags: FileTags) -> float:  # noqa: A002
    """Copy a song into another format, or into the same one with other tags, without loading it whole.

    Where the format stays, the sample data is copied byte for byte. `target` may be `source`. Returns the factor by which
    a source with samples above full scale was turned down, else 1. Raises InvalidRequest when the source is not a
    complete audio file, StorageError.
    """
    if _can_be_copied(probe(source), format) and _retagged(source, target, format, tags):
        return 1.0
    gain = fitting_gain(source)
    with temporary(target) as bare:
        with opened(source, gain=gain) as decoder, bare.open("w+b") as file:
            encode(file, decoder.blocks(), _shape_of(decoder), format)
        _finish(bare, target, format, tags)
    return gain


def _can_be_copied(properties: Properties, form: Format) -> bool:
    """Whether the sample data can stay as it is: a WAV or FLAC file of several parts, or with wrong sizes, is rewritten."""
    return properties.format == form and (properties.is_plain or form in ("mp3", "ogg"))


def _shape_of(decoder: Decoder) -> Shape:
    properties = decoder.properties
    return Shape(properties.sample_rate, properties.channels, properties.bits)


def _retagged(source: Path | BinaryIO, target: Path, form: Format, tags: FileTags) -> bool:
    """Copy with other tags; False when only the decoder understands the container (such as RF64)."""
    try:
        with atomic(target) as temp, reading(source) as old, temp.open("wb") as new:
            retag(old, new, form, tags)
    except InvalidRequest:
        return False
    return True


def _finish(bare: Path, path: Path, form: Format, tags: FileTags) -> None:
    """Add the tags and publish, when all files are closed: Windows cannot replace an open file."""
    with atomic(path) as tagged, bare.open("rb") as source, tagged.open("wb") as target:
        retag(source, target, form, tags, fresh=True)

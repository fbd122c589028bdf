"""Audio and video files that libsndfile does not decode: what they are, and how to have them read."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Kind:
    """`label` is what people call it, `demuxer` FFmpeg's name of the container."""

    label: str
    demuxer: str
    format: str
    content_type: str
    has_video: bool = False

    def advice(self, name: str) -> str:
        """What to do with the file `name` where FFmpeg is not installed: the end of a sentence."""
        return f'install the reader with pip install "acestep-mcp[formats]", or {self.conversion(name)}'

    def conversion(self, name: str) -> str:
        """The command that converts the file `name`, without any name that a shell would not take as it is."""
        suffix = PurePath(name).suffix
        is_plain = re.fullmatch(r"[\w .()+,=@-]+", name) is not None and bool(suffix) and not name.startswith("-")
        given = name if is_plain else f"song.{self.format}"
        target = given.removesuffix(suffix if is_plain else f".{self.format}") + ".flac"
        return f'convert the file with ffmpeg -i "{given}"{" -vn" if self.has_video else ""} "{target}"'


_M4A = Kind("M4A (AAC or ALAC audio)", "mov", "m4a", "audio/mp4")
_MP4 = Kind("MP4 (video, or AAC audio)", "mov", "mp4", "video/mp4", has_video=True)
_MOV = Kind("QuickTime (MOV)", "mov", "mov", "video/quicktime", has_video=True)
_3GP = Kind("3GP (AMR or AAC audio, perhaps with video)", "mov", "3gp", "audio/3gpp", has_video=True)
_AAC = Kind("AAC (ADTS)", "aac", "aac", "audio/aac")
_WEBM = Kind("WebM", "matroska", "webm", "audio/webm", has_video=True)
_MATROSKA = Kind("Matroska (MKA or MKV)", "matroska", "mka", "audio/x-matroska", has_video=True)
_WMA = Kind("WMA (Windows Media)", "asf", "wma", "audio/x-ms-wma", has_video=True)
_AMR = Kind("AMR", "amr", "amr", "audio/amr")
_AVI = Kind("AVI video", "avi", "avi", "video/x-msvideo", has_video=True)
_FLV = Kind("Flash video (FLV)", "flv", "flv", "video/x-flv", has_video=True)
_TS = Kind("an MPEG transport stream", "mpegts", "ts", "video/mp2t", has_video=True)
_PS = Kind("MPEG video", "mpeg", "mpg", "video/mpeg", has_video=True)
_AC3 = Kind("AC-3 (Dolby Digital)", "ac3", "ac3", "audio/ac3")
_MARKS = (
    (b"#!AMR", _AMR),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _WMA),
    (b"FLV\x01", _FLV),
    (b"\0\0\1\xba", _PS),
    (b"MAC ", Kind("Monkey's Audio (APE)", "ape", "ape", "audio/x-ape")),
    (b"wvpk", Kind("WavPack", "wv", "wv", "audio/x-wavpack")),
    (b"TTA1", Kind("True Audio (TTA)", "tta", "tta", "audio/x-tta")),
    (b"tBaK", Kind("TAK", "tak", "tak", "audio/x-tak")),
    (b"MPCK", Kind("Musepack", "mpc8", "mpc", "audio/x-musepack")),
    (b"MP+", Kind("Musepack", "mpc", "mpc", "audio/x-musepack")),
    (b"DSD ", Kind("DSD (DSF)", "dsf", "dsf", "audio/x-dsf")),
    (b"FRM8", Kind("DSD (DSDIFF)", "iff", "dff", "audio/x-dff")),
    (b".RMF", Kind("RealMedia", "rm", "rm", "audio/x-pn-realaudio", has_video=True)),
    (b".ra\xfd", Kind("RealAudio", "rm", "ra", "audio/x-pn-realaudio")),
    (b"Creative Voice File", Kind("a Creative Voice file (VOC)", "voc", "voc", "audio/x-voc")),
    (b"\x7f\xfe\x80\x01", Kind("DTS", "dts", "dts", "audio/vnd.dts")),
)
_WITHIN_SNDFILE = {
    b"RIFF": Kind("WAV", "wav", "wav", "audio/wav"),
    b"caff": Kind("CAF with AAC or another codec that is not read directly", "caf", "caf", "audio/x-caf"),
    b"FORM": Kind("AIFF with a codec that is not read directly", "aiff", "aiff", "audio/aiff"),
    b".snd": Kind("AU with a codec that is not read directly", "au", "au", "audio/basic"),
    b"OggS": Kind("Ogg with a codec that is not read directly", "ogg", "ogg", "audio/ogg", has_video=True),
}
_SNDFILE_TAGS = (0, 1, 3, 0xFFFE)
_TAGS = {0x50: "MP2", 0x55: "MP3", 0xFF: "AAC", 0x160: "WMA", 0x161: "WMA", 0x162: "WMA", 0x163: "WMA", 0x2000: "AC-3"}
_MOST_SCANNED = 2**16
_BRANDS = {b"qt  ": _MOV, b"M4A ": _M4A, b"M4B ": _M4A, b"M4P ": _M4A, b"F4A ": _M4A, b"F4B ": _M4A}


def foreign(data: mmap.mmap, start: int) -> Kind | None:
    """The kind of file that begins at `start`, where libsndfile does not read it; None for all others."""
    head = data[start : start + 64]
    if head[:4] == b"RIFF":
        return _AVI if head[8:12] == b"AVI " else None
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") and head[:4] != b"FORM":
        return _mpeg4(head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _WEBM if b"webm" in head else _MATROSKA
    return _framed(data, start)


def unsupported(data: mmap.mmap, start: int) -> Kind | None:
    """The kind of a file whose container libsndfile reads, for one with a codec that it does not."""
    kind = _WITHIN_SNDFILE.get(data[start : start + 4])
    if kind is not None and kind.demuxer == "wav":
        at = data.find(b"fmt ", start, start + _MOST_SCANNED)
        tag = int.from_bytes(data[at + 8 : at + 10], "little") if at >= 0 else 0
        return None if tag in _SNDFILE_TAGS else replace(kind, label=f"WAV with {_TAGS.get(tag, f'codec 0x{tag:04x}')}")
    return kind


def _mpeg4(head: bytes) -> Kind | None:
    if head[4:8] != b"ftyp":
        return _MOV if head[4:8] in (b"moov", b"mdat", b"wide") else None
    if head[8:11] in (b"3gp", b"3g2", b"3ge", b"3gr", b"3gs"):
        return _3GP
    return _BRANDS.get(head[8:12], _MP4)


def _framed(data: mmap.mmap, start: int) -> Kind | None:
    """Formats without a mark of their own: several frames or packets in a row show them."""
    if _repeats(data, start, _adts_length):
        return _AAC
    if _repeats(data, start, lambda head: 188 if head[:1] == b"\x47" else 0):
        return _TS
    return _AC3 if data[start : start + 2] == b"\x0b\x77" else None


def _repeats(data: mmap.mmap, start: int, length_of: Callable[[bytes], int]) -> bool:
    position = start
    for _ in range(3):
        length = length_of(data[position : position + 7])
        if not length:
            return False
        position += length
        if position >= len(data):
            return position == len(data)
    return True


def _adts_length(head: bytes) -> int:
    """Bytes of an AAC frame by its ADTS header (ISO 13818-7, 6.2); 0 for what is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0

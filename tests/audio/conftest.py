"""Sounds shared by the tests of this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.tags.file_tags import FileTags

Song = Callable[..., Sound]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with a name that is not ASCII."""
    path = tmp_path / "音楽 ♪"
    path.mkdir()
    return path


@pytest.fixture
def noise() -> Song:
    """Noise at -20 dBFS RMS, the same for the same seed, with every bit of its depth in use."""

    def make(seconds: float = 1.0, rate: int = 48_000, channels: int = 2, bits: int = 16, seed: int = 0) -> Sound:
        return Sound(_noise(round(seconds * rate), channels, bits, seed).copy(), rate, 24 if bits == 24 else 16)

    return make


@cache
def _noise(frames: int, channels: int, bits: int, seed: int) -> NDArray[np.int32]:
    steps = 2 ** (bits - 1)
    whole = np.random.default_rng(seed).normal(0, 0.1, (frames, channels)).clip(-0.99, 0.99) * steps
    return whole.astype(np.int32) << (32 - bits)


@pytest.fixture
def sine() -> Song:
    """A sine tone."""

    def make(
        seconds: float = 1.0, rate: int = 48_000, channels: int = 2, hertz: float = 440.0, peak: float = 0.5
    ) -> Sound:
        wave = peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
        pcm = np.rint(wave * 32767).astype(np.int32) << 16
        return Sound(np.repeat(pcm[:, None], channels, axis=1), rate, 16)

    return make


@pytest.fixture
def words() -> FileTags:
    """Tags in four scripts, with line breaks, an emoji outside the basic plane, and the largest seed."""
    return FileTags(
        title="夜の歌 — ليلة 🎵",
        tags="lofi, ヒップホップ, هادئ, 80 bpm",
        lyrics="[verse]\n星が降る夜に\nفي الليل\n\n[chorus]\n🎶 la la",
        seed=2**32 - 1,
        comment='{"plan": {"bpm": 80.5, "key": "F♯ minor"}}',
        software="acestep-mcp 0.1.0",
    )

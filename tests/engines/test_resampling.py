"""Waveforms at other rates."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.engines.model import resampling  # noqa: E402
from acestep_mcp.engines.model.resampling import resample  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]


def tones(rate, seconds=1.0):
    """Two waveforms of different pitch and level."""
    times = torch.arange(round(rate * seconds), dtype=torch.float64) / rate
    return torch.stack([(level * torch.sin(math.tau * hertz * times)).float() for hertz, level in ((440, 0.5), (1000, 0.1))])  # fmt: skip


@pytest.mark.parametrize("rate", [48_000, 44_101])
def test_tones_stay_themselves_also_at_a_rate_whose_filters_would_be_too_large(rate):
    ours, right = resample(tones(rate), rate, 44_100), tones(44_100)
    inner = slice(2000, 42_000)  # the edges ring
    assert (ours[:, inner] - right[:, inner]).abs().max() < 2e-3
    assert abs(ours.shape[-1] - right.shape[-1]) <= 1


def test_few_filters_are_kept_however_many_rates_there_are():
    for rate in range(8000, 8000 + 20 * 50, 50):
        resample(torch.zeros(1, 100), rate, 44_100)
    assert resampling._sinc_kernel.cache_info().currsize <= 8

"""`python bench/gpu.py --dry` runs all parts; here the shortest of them."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from bench import gpu  # noqa: E402

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.slow]


def test_the_bench_runs_dry_and_writes_a_table_and_json(tmp_path, capsys):
    torch.set_num_threads(1)
    assert gpu.main(["--dry", "--only", "parity,bfloat16,batch,fp8", "--out", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert told["bfloat16"]["real-time factor, warm"] > 0
    assert set(told["bfloat16"]["steps"]) == {"1 songs", "4 songs"}
    assert told["bfloat16"]["decoding"]["compiled against plain"] < 1e-5
    assert {"1 songs at once", "4 songs at once"} < set(told["batch"])
    assert told["batch"]["3 songs, each begun at the last one's decode"]["real-time factor"] > 0
    assert told["parity"]["ok"]
    assert told["parity"]["cases"]["transformer, bfloat16"]["error"] > 1e-3
    assert 0 < len(told["bfloat16"]["kernels"]) <= gpu.TOP
    assert told["bfloat16"]["compiled against plain"] < 1e-5
    assert "compute capability" in told["fp8"]["failed"]
    assert "| real-time factor, warm |" in (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert (tmp_path / "profile.json.gz").stat().st_size > 0
    out = capsys.readouterr().out
    assert "wheels: torch triton torchao" in out
    assert "short or not run: fp8" in out

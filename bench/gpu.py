"""ACE-Step v1 on a GPU at full size with random weights: what it takes, and whether its numbers are right.

    python bench/gpu.py --wheels          the packages it needs, for pip install
    python bench/gpu.py [--out gpu-bench] [--minutes 8] [--only parity,bfloat16] [--seconds 60]
    python bench/gpu.py --dry             all of it on the CPU with tiny sizes: shows that it runs, measures nothing

Each part runs in its own process, so that a failure or memory of one does not touch the next. A part for which no time
is left is reported as not run. OUT gets `gpu.json`, `gpu.md` and `profile.json.gz` (a trace for chrome://tracing), and
`weights`, 8.3 GB that are written once. Real-time factors are seconds of music per second. The parts:

    parity       single modules against recorded numbers, on the device: 1e-4 in float32, 1e-2 in bfloat16, and more where
                 the published layers need it in bfloat16 (tools/parity.py says which)
    bfloat16     load time; a song cold and warm; steps with 1 and 4 songs in one batch; decoding; the compiled and captured
                 step and decoder against the plain ones; memory; the kernels of a song by time; a profile
    batch        1 and 4 songs at once through the engine; songs one after another, each begun while the one before it is
                 decoded; memory
    endpoints    all five endpoints
    fp8, int8, offload, int8-offload, no-compile     load time, a song cold and warm, steps, memory
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHEELS = (
    "torch", "triton", "torchao", "numpy", "safetensors", "huggingface-hub", "transformers", "tokenizers",
    "num2words", "pypinyin", "cutlet", "unidic-lite", "hangul-romanize", "py3langid", "pydantic", "anyio", "httpx",
    "soundfile", "av", "click",
)  # fmt: skip
"""The wheels beside this package itself; torch from the index of the GPU's CUDA version."""
OPTIONS = {
    "bfloat16": {},
    "fp8": {"quantize": "fp8"},
    "int8": {"quantize": "int8"},
    "offload": {"offload": True},
    "int8-offload": {"quantize": "int8", "offload": True},
    "no-compile": {"compile": False},
}
PARTS = ("parity", "bfloat16", "batch", "endpoints", "fp8", "int8", "offload", "int8-offload", "no-compile")
NUMBERS = ROOT / "tests" / "engines" / "ace_step_v1" / "numbers"
TAGS, WORDS = (
    "lofi, piano, soft drums, 80 bpm",
    "[verse]\nRain on the window\nand you on my mind\n\n[chorus]\nStay a while\n",
)
STEPS = 27
SONGS = (1, 4)
CONDITION = 300
"""Condition tokens of the measured steps."""
TOP = 20


class Bench:
    """What all parts share."""

    def __init__(self, given):
        import torch

        self.given = given
        self.dry = given.dry
        self.device = "cpu" if given.dry else "cuda"
        self.seconds = 1.5 if given.dry else given.seconds
        self.steps = 3 if given.dry else STEPS
        self.songs = SONGS
        self.warm = 1 if given.dry else 3
        self.weights = given.out / ("weights-dry" if given.dry else "weights")
        self.torch = torch

    def make_weights(self):
        if (self.weights / "vocab.json").is_file():
            return
        self.weights.mkdir(parents=True, exist_ok=True)
        if self.dry:
            from tests.engines.ace_step_v1.checkpoint import make_checkpoint, small_configs

            configs = small_configs()
            configs["ace_step_transformer"] |= {"num_layers": 2, "lyric_encoder_num_layers": 1}
            make_checkpoint(self.weights, configs)
        else:
            from bench.engine_memory import make

            make(self.weights)

    def options(self, **given):
        from acestep_mcp.engines.model.options import EngineOptions

        return EngineOptions(data_dir=self.given.out, weights=self.weights, device=self.device, **given)

    def load(self, **given):
        """The model and the seconds it took; on the CPU with the same step on static buffers, not compiled."""
        from acestep_mcp.engines.ace_step_v1 import weights
        from acestep_mcp.engines.model import predictions
        from acestep_mcp.engines.model.graphs import again

        compiling = given.get("compile", True)
        began = time.perf_counter()
        loaded = weights.load(self.options(**given | ({"compile": False} if self.dry else {})))
        self.wait()
        took = time.perf_counter() - began
        if self.dry and compiling:
            transformer = loaded.denoiser.transformer
            loaded.denoiser.predictions = predictions.StaticPredictions(transformer, transformer.forward, again)
        return loaded, took

    def wait(self):
        if not self.dry:
            self.torch.cuda.synchronize()

    def timed(self, run):
        self.wait()
        began = time.perf_counter()
        run()
        self.wait()
        return time.perf_counter() - began

    def request(self, **given):
        from acestep_mcp.api.requests import TextToAudio

        words = {"tags": TAGS, "lyrics": WORDS, "number_of_steps": self.steps, "seed": 1}
        # Not validated: a dry song is shorter than a request may be.
        return TextToAudio(**words).model_copy(update={"duration": self.seconds, **given})

    def memory(self):
        """Peaks since the last call, in GiB."""
        if self.dry:
            return {"allocated": 0.0, "reserved": 0.0}
        cuda, gib = self.torch.cuda, 2**30
        told = {"allocated": cuda.max_memory_allocated() / gib, "reserved": cuda.max_memory_reserved() / gib}
        cuda.reset_peak_memory_stats()
        return told


def song_of(bench, loaded, **given):
    """The seconds of each stage of a song, and of all."""
    from acestep_mcp.engines.ace_step_v1.tasks import TASKS
    from acestep_mcp.engines.model.rounds import alone

    stages, run = {}, alone(TASKS.run(loaded, bench.request(**given), None))
    began = last = time.perf_counter()
    with bench.torch.inference_mode():
        for step in run:
            now = time.perf_counter()
            stages[step.stage] = stages.get(step.stage, 0.0) + now - last
            last = now
    return {"seconds": time.perf_counter() - began, "stages": stages}


def predictions_of(bench, predictions, loaded, frames, songs=1):
    """The prepared predictions of several songs, each with three random conditions, and latents for each."""
    torch, weight = bench.torch, loaded.denoiser.transformer.final_layer.linear.weight
    shape = (3, CONDITION, loaded.denoiser.config.inner_dim)
    given = [torch.randn(shape, dtype=weight.dtype, device=weight.device) for _ in range(songs)]
    mask, weakened = torch.ones(shape[:2], device=weight.device), torch.arange(3, device=weight.device) == 1
    latents = torch.randn(songs, 1, 8, 16, frames, device=weight.device)
    return [predictions.prepare(condition, mask, frames, weakened) for condition in given], latents


def answer(predictions, prepared, latents, *conditions):
    """The velocities of several songs in one batch, each at another step."""
    asks = [
        one(x, 0.5 + 0.1 * number, *conditions) for number, (one, x) in enumerate(zip(prepared, latents, strict=True))
    ]
    return predictions.answer([ask.given for ask in asks])


def steps_of(bench, loaded, songs):
    """Milliseconds of a guided and of an unguided step of several songs in one batch, and the factor for all steps."""
    from acestep_mcp.engines.ace_step_v1.guidance import Guidance
    from acestep_mcp.engines.ace_step_v1.sampling import latent_frames

    predictions, frames = loaded.denoiser.predictions, latent_frames(bench.seconds)
    with bench.torch.inference_mode(), loaded.parts.using("denoiser"):
        prepared = predictions_of(bench, predictions, loaded, frames, songs)
        guided_step = measured(bench, partial(answer, predictions, *prepared))
        plain_step = measured(bench, partial(answer, predictions, *prepared, 1))
    guided = len(Guidance().guided_steps(bench.steps))
    total = guided * guided_step[1] + (bench.steps - guided) * plain_step[1]
    return {
        "guided step, ms": guided_step[1] * 1e3,
        "unguided step, ms": plain_step[1] * 1e3,
        "first guided step, s": guided_step[0],
        "first unguided step, s": plain_step[0],
        "real-time factor of the steps": songs * bench.seconds / total,
    }


def decoding_of(bench, loaded):
    """Milliseconds to decode a song, and how far the compiled decoder is from the plain one."""
    from tools.parity import relative

    from acestep_mcp.engines.ace_step_v1.codec import Codec
    from acestep_mcp.engines.ace_step_v1.sampling import latent_frames

    torch, plain = bench.torch, Codec(loaded.codec.autoencoder, loaded.codec.vocoder)
    latents = torch.randn(1, 8, 16, latent_frames(bench.seconds), device=loaded.device)

    def decode(codec=loaded.codec):
        return torch.cat(list(codec.decode(latents)), dim=-1)

    with torch.inference_mode(), loaded.parts.using("codec"):
        first, later = measured(bench, decode)
        return {
            "first, s": first,
            "ms": later * 1e3,
            "not compiled, ms": measured(bench, partial(decode, plain))[1] * 1e3,
            "window, frames": loaded.codec.window(latents.shape[-1]),
            "compiled against plain": relative(decode(), decode(plain)),
        }


def measured(bench, run):
    """The seconds of the first run, and of one of those after it."""
    first = bench.timed(run)
    count = 1 if bench.dry else 10
    return first, bench.timed(lambda: [run() for _ in range(count)]) / count


def difference_of(bench, loaded):
    """How far the compiled and captured step is from the plain one."""
    from tools.parity import relative

    from acestep_mcp.engines.model.predictions import PlainPredictions

    fast, plain = loaded.denoiser.predictions, PlainPredictions(loaded.denoiser.transformer)
    with bench.torch.inference_mode():
        velocities = []
        for predictions in (fast, plain):
            bench.torch.manual_seed(1)
            prepared = predictions_of(bench, predictions, loaded, 100)
            velocities += answer(predictions, *prepared)
    return relative(*velocities)


def parity(bench):
    from tools.parity import module_results

    torch = bench.torch
    torch.backends.cudnn.allow_tf32 = False  # float32 is compared with float32
    told = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        for case in module_results(NUMBERS, bench.device, dtype):
            told[f"{case.name}, {name}"] = {"error": case.error, "limit": case.limit, "ok": case.ok}
    return {"ok": all(case["ok"] for case in told.values()), "cases": told}


def variant(bench, name):
    """What one choice of options takes."""
    told = {}
    loaded, told["load, s"] = bench.load(**OPTIONS[name])
    told["memory while loading, GiB"] = bench.memory()
    told["cold song, s"] = song_of(bench, loaded)["seconds"]
    warm = [song_of(bench, loaded, seed=seed) for seed in range(2, 2 + bench.warm)]
    song = statistics.median_low(each["seconds"] for each in warm)
    told["warm song, s"] = song
    told["stages of a warm song, s"] = next(each["stages"] for each in warm if each["seconds"] == song)
    told["real-time factor, cold"] = bench.seconds / told["cold song, s"]
    told["real-time factor, warm"] = bench.seconds / song
    other = song_of(bench, loaded, duration=1.5 * bench.seconds)["seconds"]
    told["first song of another length, s"] = other
    told["memory of a song, GiB"] = bench.memory()
    told["steps"] = {
        f"{songs} songs": steps_of(bench, loaded, songs)
        for songs in (bench.songs if name == "bfloat16" else bench.songs[:1])
    }
    told["memory of the steps, GiB"] = bench.memory()
    if name == "bfloat16":
        told["compiled against plain"] = difference_of(bench, loaded)
        told["decoding"] = decoding_of(bench, loaded)
        told["kernels"] = profile(bench, loaded)
    loaded.free()
    return told


def profile(bench, loaded):
    """The kernels of a short run and its decode by time; the trace is written beside the results."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    kinds = [ProfilerActivity.CPU, *([] if bench.dry else [ProfilerActivity.CUDA])]
    steps = 3 if bench.dry else 8
    if not bench.dry:
        song_of(bench, loaded, number_of_steps=steps)
    with profiler(activities=kinds) as recorded:
        song_of(bench, loaded, number_of_steps=steps)
        bench.wait()
    recorded.export_chrome_trace(str(bench.given.out / "profile.json.gz"))
    spent = "self_cpu_time_total" if bench.dry else "self_device_time_total"
    events = sorted(recorded.key_averages(), key=lambda event: getattr(event, spent), reverse=True)
    total = sum(getattr(event, spent) for event in events) or 1
    return [
        {"kernel": event.key[:90], "calls": event.count, "ms": getattr(event, spent) / 1e3, "share": getattr(event, spent) / total}
        for event in events[:TOP]
    ]  # fmt: skip


def batch(bench):
    """Songs at once, and songs one after another, through the engine as the queue uses it."""
    from acestep_mcp.engines.ace_step_v1.engine import AceStepV1

    told = {}
    for songs in bench.songs:
        engine = AceStepV1(bench.options(batch=songs, **({"compile": False} if bench.dry else {})))
        try:
            at_once(bench, engine, songs)  # loads, compiles and captures
            seconds = min(at_once(bench, engine, songs) for _ in range(bench.warm))
            told[f"{songs} songs at once"] = rates(bench, songs, seconds) | {"memory, GiB": bench.memory()}
            if songs == 1:
                told["3 songs, each after the end of the last"] = rates(bench, 3, chain(bench, engine, overlap=False))
                told["3 songs, each begun at the last one's decode"] = rates(
                    bench, 3, chain(bench, engine, overlap=True)
                )
        finally:
            engine.close()
    return told


def rates(bench, songs, seconds):
    return {"seconds": seconds, "real-time factor": songs * bench.seconds / seconds}


def at_once(bench, engine, songs):
    """Seconds until all are done."""
    began = time.perf_counter()
    with ThreadPoolExecutor(songs) as pool:
        for done in [pool.submit(finish, engine.generate(bench.request(seed=seed), None)) for seed in range(songs)]:
            done.result()
    return time.perf_counter() - began


def chain(bench, engine, overlap, songs=3):
    """Seconds for songs one after another. With `overlap` the next begins at a step that allows it, as in the queue."""
    from acestep_mcp.engines import Step

    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        rest = []
        for seed in range(songs):
            parts = engine.generate(bench.request(seed=seed), None)
            step = next(step for step in parts if not isinstance(step, Step) or (overlap and step.overlaps))
            if isinstance(step, Step):
                rest.append(pool.submit(finish, parts))
        for done in rest:
            done.result()
    return time.perf_counter() - began


def finish(parts):
    *_, audio = parts
    assert audio.sound.pcm.any()


def endpoints(bench):
    from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio
    from acestep_mcp.engines import Audio, Source
    from acestep_mcp.engines.ace_step_v1.engine import AceStepV1
    from acestep_mcp.songwriter.writer import write_by_rules

    engine = AceStepV1(bench.options(compile=False if bench.dry else None))
    told = {}

    def play(name, request, source=None):
        began = time.perf_counter()
        *_, audio = engine.generate(request, source)
        assert isinstance(audio, Audio)
        assert audio.sound.pcm.any()
        told[name] = {"seconds": time.perf_counter() - began, "music, s": audio.sound.seconds}
        return audio.sound

    try:
        written = write_by_rules("a calm song about rain", instrumental=False, duration=60, seed=1)
        play("prompt_to_audio", bench.request(tags=written.tags, lyrics=written.lyrics))
        source = Source(play("text_to_audio", bench.request()))
        words = {"audio_url": "song.wav", "tags": TAGS, "lyrics": WORDS, "number_of_steps": bench.steps, "seed": 1}
        play("audio_to_audio", AudioToAudio(**words, original_tags=TAGS, original_lyrics=WORDS), source)
        play("audio_inpaint", AudioInpaint(**words, start_time=bench.seconds / 4, end_time=bench.seconds / 2), source)
        play("audio_outpaint", AudioOutpaint(**words, extend_after_duration=bench.seconds / 4), source)
    finally:
        engine.close()
    return told


def run_part(bench, name):
    run = {"parity": parity, "batch": batch, "endpoints": endpoints}.get(name)
    return run(bench) if run else variant(bench, name)


def in_own_process(given, name, seconds):
    """A part's result, or why there is none."""
    file = given.out / f"{name}.json"
    file.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--part", name, "--out", str(given.out), "--seconds", str(given.seconds)]
    try:
        done = subprocess.run(command, timeout=seconds, check=False, stderr=subprocess.PIPE, text=True)
    except subprocess.TimeoutExpired:
        return {"failed": f"not finished in the {seconds:.0f} s that were left"}
    if not file.is_file():
        return {"failed": done.stderr.strip()[-2000:] or f"exit code {done.returncode}"}
    return json.loads(file.read_text(encoding="utf-8"))


def in_this_process(bench, name):
    from acestep_mcp.api.errors import AceStepError

    try:
        return run_part(bench, name)
    except AceStepError as error:  # a device or package that an option needs
        return {"failed": error.message}


def machine(bench):
    told = {"python": platform.python_version(), "torch": bench.torch.__version__, "machine": platform.machine()}
    if not bench.dry:
        properties = bench.torch.cuda.get_device_properties(0)
        told |= {
            "device": properties.name, "memory, GiB": properties.total_memory / 2**30, "CUDA": bench.torch.version.cuda,
            "capability": f"{properties.major}.{properties.minor}",
        }  # fmt: skip
    return told | {f"{name} wheel": installed(name) for name in ("triton", "torchao", "transformers")}


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def table(results):
    """The results as Markdown."""
    lines = ["# ACE-Step v1 on a GPU", ""]
    for name, told in results.items():
        lines += [f"## {name}", "", "| | |", "|---|---|"]
        lines += [f"| {key} | {shown(value)} |" for key, value in flat(told)]
        lines.append("")
    return "\n".join(lines)


def flat(told, before=""):
    for key, value in told.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}: ")
        elif isinstance(value, list):
            yield from (
                (f"{before}{row['kernel']}", f"{row['calls']} calls, {row['ms']:.2f} ms, {row['share']:.1%}")
                for row in value
            )
        else:
            yield f"{before}{key}", value


def shown(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("\n", " ").replace("|", "\\|")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", action="store_true")
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu-bench"))
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, help="parts, separated by commas")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := set(given.only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: only {', '.join(PARTS)}")
    missing = [name for name in WHEELS if installed(name) is None]
    print("wheels:", " ".join(WHEELS), f"(missing here: {' '.join(missing)})" if missing else "(all here)", flush=True)
    if given.wheels:
        return 0
    ends = time.monotonic() + 60 * given.minutes
    given.out = given.out.absolute()
    given.out.mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    bench = Bench(given)
    if given.part:
        told = in_this_process(bench, given.part)
        (given.out / f"{given.part}.json").write_text(json.dumps(told), encoding="utf-8")
        return 0
    if not given.dry and not bench.torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device here: --dry runs everything on the CPU with tiny sizes")
    results = {"machine": machine(bench)}
    bench.make_weights()
    for name in (part for part in PARTS if part in given.only):
        left = ends - time.monotonic()
        if left < 10:
            results[name] = {"failed": "not run: no time was left"}
        else:
            results[name] = in_this_process(bench, name) if given.dry else in_own_process(given, name, left)
        print(table({name: results[name]}), flush=True)
        (given.out / "gpu.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        (given.out / "gpu.md").write_text(table(results), encoding="utf-8")
    failed = [name for name, told in results.items() if "failed" in told or told.get("ok") is False]
    print("short or not run:", ", ".join(failed) or "nothing")
    return 1 if failed and not given.dry else 0


if __name__ == "__main__":
    sys.exit(main())

"""Long runs of the tests in tests/fuzz, by hand, repeatable by their seed.

    python bench/fuzz.py tools COUNT [SEED] [TOOL...]        COUNT calls of each tool
    python bench/fuzz.py lines COUNT [SEED]                  COUNT raw lines on stdin, half of them to a server that was greeted
    python bench/fuzz.py routes COUNT [SEED] [engine|http]   COUNT requests to each server
    python bench/fuzz.py audio COUNT [SEED]                  COUNT damaged audio files, each within 2 s and 200 MB
    python bench/fuzz.py parsers SECONDS [SEED] [TARGET...]  guided by which lines of this package an input reaches

Exits 1 when a case fails, and prints each kind of failure once. `parsers` needs `pip install atheris` in the environment
that runs it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SLOW_SECONDS = 1.0
"""Of processor time in instrumented code; what takes this long is looked at without it."""
LARGE_MIB = 200
LONGEST_INPUT = 65_536


class Findings:
    """Failures in a folder, one input for each kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[str] = set()

    def add(self, kind: str, content: bytes) -> None:
        if kind in self._seen:
            return
        self._seen.add(kind)
        path = self._folder / f"finding-{hashlib.sha256(content).hexdigest()[:12]}"
        path.write_bytes(content)
        with (self._folder / "findings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "input": str(path), "bytes": len(content)}) + "\n")

    def run(self, target: Callable[[bytes], None], content: bytes) -> None:
        before, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            target(content)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
            ours = [frame for frame in traceback.extract_tb(exc.__traceback__) if str(ROOT) in frame.filename][-1]
            self.add(f"{type(exc).__name__} at {Path(ours.filename).relative_to(ROOT)}:{ours.lineno}", content)
        taken = time.process_time() - before
        if taken > SLOW_SECONDS:
            self.add(f"slow: {taken:.0f} s", content)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024
        if grown > LARGE_MIB:
            self.add(f"memory: {grown // 100 * 100} MiB", content)


def parsers(seconds: int, seed: int, chosen: list[str]) -> int:
    """Each target in a process of its own, an equal share of the time each."""
    from tests.fuzz.parsers import TARGETS

    names, failures = chosen or list(TARGETS), 0
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
        command = [sys.executable, __file__, "one", name, str(seconds // len(names)), str(seed), str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
        found = folder / "findings.jsonl"
        lines = found.read_text(encoding="utf-8").splitlines() if found.exists() else []
        crashed = [] if done.returncode == 0 else [f"exit {done.returncode}: {done.stderr[-500:]}"]
        runs = [line for line in done.stderr.splitlines() if line.startswith(("Done ", "#"))]
        print(
            f"{name}: {runs[-1] if runs else 'no run'}; {len(lines) + len(crashed)} findings",
            *lines,
            *crashed,
            sep="\n  ",
        )
        failures += len(lines) + len(crashed)
    return min(1, failures)


def one(name: str, seconds: int, seed: int, folder: Path) -> None:
    """One target until its time is over; never returns."""
    import atheris

    with atheris.instrument_imports(include=["acestep_mcp"]):
        from tests.fuzz.parsers import TARGETS, seeds

    corpus, findings = folder / "corpus", Findings(folder)
    corpus.mkdir()
    for number, content in enumerate(seeds()[name]):
        (corpus / str(number)).write_bytes(content)
    flags = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={LONGEST_INPUT}",
        "-timeout=120",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup([__file__, *flags, str(corpus)], lambda content: findings.run(TARGETS[name], content))
    atheris.Fuzz()


def tools(count: int, seed: int, chosen: list[str]) -> int:
    from tests.fuzz.tool_calls import caller, fuzz, tools_named

    failures = 0
    with tempfile.TemporaryDirectory() as folder, caller(Path(folder)) as call:
        for tool in tools_named(chosen):
            found, slowest = fuzz(tool, count, seed, call)
            failures += report(f"{tool.name}: {count} calls, the longest {slowest:.1f} s", found)
    return min(1, failures)


def lines(count: int, seed: int, _: list[str]) -> int:
    from tests.fuzz import raw_lines

    failures = 0
    for is_greeted in (False, True):
        found: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder, raw_lines.pipe(Path(folder)) as server:
            if is_greeted:
                server.greet()
            began = time.perf_counter()
            for line in raw_lines.lines(count // 2, seed + is_greeted):
                try:
                    raw_lines.check(line, server.exchange(line, f"after {line.id}"))
                except AssertionError as exc:
                    found.setdefault(f"{type(exc).__name__} {str(exc)[:80]}", repr(line.content[:300]))
                    if isinstance(exc, raw_lines.Stuck):
                        break
            taken = time.perf_counter() - began
        failures += report(f"{count // 2} lines, {'' if is_greeted else 'not '}greeted, in {taken:.0f} s", found)
    return min(1, failures)


def routes(count: int, seed: int, chosen: list[str]) -> int:
    from tests.fuzz.routes import ENGINE_ROUTES, HTTP_ROUTES, fuzz
    from tests.fuzz.servers import engine_server, http_server

    logging.disable()
    failures = 0
    for name, server, templates in (("engine", engine_server, ENGINE_ROUTES), ("http", http_server, HTTP_ROUTES)):
        if not chosen or name in chosen:
            with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as ask:
                failures += report(f"{name}: {count} requests", fuzz(templates, count, seed, ask))
    return min(1, failures)


def audio(count: int, seed: int, _: list[str]) -> int:
    from tests.fuzz.audio_files import check, damaged

    found: dict[str, str] = {}
    ends: Counter[str] = Counter()
    longest, largest = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.audio"
        for name, content in damaged(count, seed):
            path.write_bytes(content)
            before, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                ends[check(path)] += 1
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
                found.setdefault(f"{type(exc).__name__}: {str(exc)[:100]}", name)
            taken = time.process_time() - before
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024
            if taken > 2 or grown > LARGE_MIB:
                found.setdefault(f"{taken:.1f} s, {grown} MiB", name)
            longest, largest = max(longest, taken), max(largest, grown)
    how = f"{ends['refused']} refused, {ends['read']} read"
    return report(f"{count} damaged files: {how}; at most {longest:.2f} s of processor time and {largest} MiB", found)


def report(what: str, found: dict[str, str]) -> int:
    print(
        f"{what}; {len(found)} kinds of failure",
        *(f"{kind}: {case[:1000]}" for kind, case in found.items()),
        sep="\n  ",
    )
    return len(found)


COMMANDS = {command.__name__: command for command in (tools, lines, routes, audio, parsers)}


def main() -> int:
    if sys.argv[1:2] == ["one"]:
        name, seconds, seed, folder = sys.argv[2:]
        one(name, int(seconds), int(seed), Path(folder))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("names", nargs="*", help="only these targets or tools")
    given = parser.parse_args()
    return COMMANDS[given.what](given.count, given.seed, given.names)


if __name__ == "__main__":
    sys.exit(main())

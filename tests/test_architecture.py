"""The rules of docs/architecture.md: which package may import which, what a start imports, and that imports do nothing."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import acestep_mcp
from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.server.tools import published

# One worker parses the package.
pytestmark = pytest.mark.xdist_group("architecture")

ROOT = Path(acestep_mcp.__file__).parent
ROOT_MODULES = {"__init__", "__main__", "assembly", "settings", "inputs", "files"}

# The packages that each package may import, besides itself.
GROUND = {"api", "net", "audio", "files", "sqlite"}
MAY_IMPORT = {
    "api": set(),
    "files": {"api"},
    "net": {"api", "files"},
    "audio": {"api", "files"},
    "settings": {"api", "net"},
    "sqlite": {"api", "files"},
    "library": {"api", "files", "sqlite"},
    "readers": {"api"},
    "songwriter": {"api", "readers"},
    "engines": {"api", "audio", "files", "readers"},
    "client": GROUND,
    "inputs": GROUND | {"library", "settings"},
    "web": {"api"},
    "engine_server": GROUND | {"engines", "readers", "songwriter", "web"},
    "studio": GROUND | {"library", "inputs", "client", "readers", "settings"},
    "assembly": GROUND
    | {"library", "inputs", "client", "settings", "studio", "engine_server", "engines", "songwriter"},
    "server": GROUND | {"library", "inputs", "settings", "studio", "assembly", "web"},
    "cli": GROUND | {"library", "inputs", "settings", "studio", "assembly", "server", "engines", "engine_server"},
    "__main__": {"cli"},
    "__init__": set(),
}

# Which of our modules may import a third-party package.
ONLY_IN = {
    "httpx": ("client", "net"),
    "mcp": ("server",),
    "mcp_types": ("server",),
    "starlette": ("engine_server", "server", "web", "net.listen"),
    "uvicorn": ("net.listen", "net.connections"),
    "torch": ("engines.ace_step_", "engines.model"),
    "click": ("cli",),
    "rich": ("cli",),
    "sqlite3": ("library", "engine_server", "sqlite"),
    "av": ("audio.av_stream",),
    "psycopg": ("engine_server.shared.database",),
    "psycopg_pool": ("engine_server.shared.database",),
    "fsspec": ("engine_server.shared.bucket_store",),
    "prometheus_client": ("engine_server.metrics",),
    "ray": ("engines.fleet", "cli.ray_serve"),
    "grpc": ("engines.fleet.connection",),
    "opentelemetry": ("api.tracing",),
}

HEAVY = {
    "acestep_mcp.assembly", "acestep_mcp.client", "acestep_mcp.net.ssrf", "acestep_mcp.net.http_responses", "acestep_mcp.net.listen",
    "acestep_mcp.engine_server", "acestep_mcp.engines", "acestep_mcp.songwriter", "acestep_mcp.audio", "acestep_mcp.sqlite",
    "acestep_mcp.cli.app", "filelock", "httpx", "click", "rich", "sqlite3", "numpy", "scipy", "soundfile",
    "soxr", "pyloudnorm", "pretty_midi", "midirenderer", "torch", "av", "psycopg", "psycopg_pool", "fsspec", "prometheus_client",
    "ray", "grpc",
}  # fmt: skip


def modules() -> dict[str, Path]:
    """Every module by its name within the package: `server.tools`, and `server` for its `__init__`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


MODULES = modules()


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@cache
def nodes_of(name: str) -> list[ast.AST]:
    return list(ast.walk(tree_of(name)))


@cache
def imported(name: str) -> tuple[str, ...]:
    """Every absolute name that a module imports, also inside functions and for types; names from a module as `module.name`."""
    return tuple(_imported(name))


def _imported(name: str) -> Iterator[str]:
    for node in nodes_of(name):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def ours(name: str) -> tuple[str, ...]:
    """The modules of this package that a module imports, each by its longest name that is a module."""
    return tuple(_ours(name))


def _ours(name: str) -> Iterator[str]:
    for full in imported(name):
        if full.split(".")[0] == "acestep_mcp":
            parts = full.split(".")[1:]
            while parts and ".".join(parts) not in MODULES:
                parts.pop()
            if parts:
                yield ".".join(parts)


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """A million nodes would make every later garbage collection slower."""
    yield
    tree_of.cache_clear()
    nodes_of.cache_clear()


def test_a_module_imports_only_the_packages_it_may() -> None:
    for name in MODULES:
        package = name.split(".", maxsplit=1)[0]
        assert package in MAY_IMPORT, f"{package} is new: add to MAY_IMPORT what it may import"
        imports = {other.split(".")[0] for other in ours(name)} - {package}
        assert imports <= MAY_IMPORT[package], name


def test_only_these_modules_are_at_the_root() -> None:
    assert {name for name, path in MODULES.items() if path.parent == ROOT} == ROOT_MODULES


PAGE = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")


def drawn_tree() -> set[str]:
    """The folders (with a trailing `/`) and files in the page's tree, relative to the repository."""
    paths, above = set(), []
    for line in re.search(r"```\n(.*?)\n```", PAGE, re.DOTALL)[1].splitlines():
        indent, name = re.match(r"( *)(\S+) ", line + " ").groups()
        above = [*above[: len(indent) // 2], name]
        paths.add("".join(above))
    return paths


def test_the_tree_on_the_architecture_page_names_only_what_exists() -> None:
    repository = Path(__file__).parents[1]
    for path in drawn_tree():
        assert (repository / path).is_dir() if path.endswith("/") else (repository / path).is_file(), path


def test_the_tree_on_the_architecture_page_names_every_package_and_every_module_at_the_root() -> None:
    packages = {path.parent.relative_to(ROOT).as_posix() + "/" for path in ROOT.rglob("__init__.py")} - {"./"}
    modules_at_the_root = {f"{name}.py" for name in ROOT_MODULES if not name.startswith("__")}
    expected = {f"src/acestep_mcp/{name}" for name in packages | modules_at_the_root}
    assert expected - drawn_tree() == set()


@pytest.mark.parametrize("package", ONLY_IN)
def test_only_the_named_modules_import(package: str) -> None:
    users = {name for name in MODULES if any(full.split(".")[0] == package for full in imported(name))}
    assert {name for name in users if not name.startswith(ONLY_IN[package])} == set()


def test_starlette_in_the_server_is_only_for_http() -> None:
    users = {name for name in MODULES if any(full.split(".")[0] == "starlette" for full in imported(name))}
    http = {"http", "transfers", "gallery", "browser_sessions"}
    assert {name for name in users if name.startswith("server")} <= {f"server.{name}" for name in http}


def test_there_is_no_import_cycle() -> None:
    """Imports inside functions and for types count too."""
    graph = {name: set(ours(name)) - {name} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" -> ".join(exc.args[1]))


def test_no_file_is_longer_than_320_lines() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > 320} == {}


def test_no_class_name_is_used_twice() -> None:
    """A name in a traceback or a log says which class it is."""
    names = Counter(node.name for name in MODULES for node in nodes_of(name) if isinstance(node, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} == set()


def test_a_module_imports_few_others_of_this_package() -> None:
    imports = [len(set(ours(name)) - {name}) for name in MODULES]
    assert sum(imports) / len(imports) <= 3.5


def test_unexpected_errors_are_caught_in_one_place() -> None:
    wide = {
        name
        for name in MODULES
        for node in nodes_of(name)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    }
    assert wide == {"api.errors"}


def test_no_function_is_longer_than_40_lines() -> None:
    long = [
        f"{name}.{node.name}: {node.end_lineno - node.lineno + 1}"
        for name in MODULES
        for node in nodes_of(name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 40
    ]
    assert long == []


def test_the_endpoint_ids_are_written_only_in_the_table() -> None:
    ids = {endpoint.id for endpoint in ENDPOINTS}
    users = {
        name for name in MODULES for node in nodes_of(name) if isinstance(node, ast.Constant) and node.value in ids
    }
    assert users == {"api.endpoints"}


# Where a StorageError does not come from an OSError; everywhere else `files` makes it from one.
STORAGE_ERRORS = {
    "files": "the one place where an OSError becomes a StorageError",
    "sqlite.failures": "sqlite3.Error",
    "library.database": "a database of a newer version, one that is damaged, and one that is away",
    "engines.model.hub": "too little free space, found before anything is written",
    "studio.submitter": "the source of a job has been removed",
    "cli.export": "the target exists already",
}


def test_only_files_turns_an_oserror_into_a_storage_error() -> None:
    users = {
        name
        for name in MODULES
        for node in nodes_of(name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "StorageError"
    }
    assert users == set(STORAGE_ERRORS)


def test_only_files_writes_atomically() -> None:
    users = {
        name
        for name in MODULES
        for node in nodes_of(name)
        if isinstance(node, ast.Attribute) and node.attr in ("fsync", "mkstemp", "NamedTemporaryFile")
    }
    assert users == {"files"}


def test_every_endpoint_is_listed_once() -> None:
    for names in zip(*((e.id, e.tool, e.command, e.request, e.schema) for e in ENDPOINTS), strict=True):
        assert len(set(names)) == len(ENDPOINTS) == 5


WATCHED_IMPORT = """
import importlib, json, os, sys
importing, seen = None, []
def watch(event, args):
    if importing is None:
        return
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append([importing, event, str(args[0])])
    elif event == "open" and args[1] is None and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append([importing, event, str(args[0])])
    elif event in ("os.mkdir", "socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "sqlite3.connect"):
        seen.append([importing, event, ""])
    elif event == "_thread.start_new_thread":
        seen.append([importing, event, ""])
sys.addaudithook(watch)
for importing in json.loads(sys.argv[1]):
    try:
        importlib.import_module(importing)
    except ModuleNotFoundError as exc:
        if exc.name not in ("torch", "diffusers"):
            raise
importing = None
print(json.dumps(seen))
"""


@pytest.mark.process
@pytest.mark.parametrize("torch", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["light", "torch"])
def test_importing_any_module_does_nothing(environment: dict[str, str], tmp_path: Path, torch: bool) -> None:
    """No file or folder appears, nothing is opened for writing, no socket, process, thread or database."""
    chosen = [name for name in MODULES if name.startswith("engines.ace_step_") is torch]
    names = [f"acestep_mcp.{name}" if name != "__init__" else "acestep_mcp" for name in chosen]
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED_IMPORT, json.dumps(names)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=50, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == []
    assert sorted(tmp_path.rglob("*")) == before


FIRST = [
    "server.app",
    "cli",
    "studio.studio",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("api.requests", "library.tracks", "engines.draft")),
]


@pytest.mark.process
@pytest.mark.parametrize("name", FIRST)
def test_a_module_can_be_the_first_to_be_imported(name: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", f"import acestep_mcp.{name}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr


BARE = """
from mcp.server import MCPServer
server = MCPServer("x")
@server.tool()
async def y() -> str:
    "Say y."
    return "y"
server.run("stdio")
"""

HELLO = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
]  # fmt: skip


def loaded_by(command: list[str], environment: dict[str, str], log: Path) -> tuple[set[str], list[str]]:
    """The modules that a real process had imported when it answered `tools/list`, and the tools."""
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", *command],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
        try:
            answer = _tools(process)
            report = log.read_text(encoding="utf-8", errors="replace")
        finally:
            process.kill()
            process.communicate()
    lines = [line.rsplit("|", 1)[1].strip() for line in report.splitlines() if line.startswith("import time:")]
    return set(lines), [tool["name"] for tool in answer["result"]["tools"]]


def _tools(process: subprocess.Popen[bytes]) -> dict:
    process.stdin.write("".join(json.dumps(message) + "\n" for message in HELLO).encode())
    process.stdin.flush()
    for line in process.stdout:
        message = json.loads(line)
        if message.get("id") == 2:
            return message
    pytest.fail("the server ended without an answer to tools/list")


@pytest.mark.slow
def test_serving_over_stdio_imports_nothing_that_only_a_call_needs(environment: dict[str, str], tmp_path: Path) -> None:
    """From the interpreter's report; `tests/server/test_startup.py` is the fast version of this test."""
    bare, _ = loaded_by(["-c", BARE], environment, tmp_path / "bare.log")
    loaded, tools = loaded_by(["-m", "acestep_mcp"], environment, tmp_path / "ours.log")
    assert tools == [tool.name for tool in published.entries()]
    extra = loaded - bare
    assert {name for name in extra if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)} == set()
    assert not (tmp_path / "music").exists()
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_a_start_writes_nothing_to_the_working_folder(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-m", "acestep_mcp"], env=environment, cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=50, check=True,
    )  # fmt: skip
    assert os.listdir(folder) == []


def test_a_test_file_that_is_skipped_without_torch_is_marked_so_that_it_runs_with_torch():
    """The plain run has no torch, and the run that has it chooses by marks."""
    tests = Path(__file__).parent
    for path in tests.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        is_skipped = re.search(r'^(\w+ = )?pytest\.importorskip\("torch', text, re.MULTILINE)
        if is_skipped and not path.parent.name.startswith("ace_step_"):
            assert re.search(r"^pytestmark = .*pytest\.mark\.torch\b", text, re.MULTILINE), path

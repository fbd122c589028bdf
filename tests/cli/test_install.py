"""`acestep-mcp install`: hosts' own files, as they come from the hosts and from people, including broken ones."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.cli.install import install, jsonc, program
from acestep_mcp.cli.install.hosts import HOSTS, Machine

CLAUDE = """{
  "mcpServers": {
    "filesystem": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/Users/me/Desktop"]
    }
  },
  "preferences": {"theme": "dark"}
}
"""
ZED = """// Zed settings
{
\t"vim_mode": true, // of course
\t"context_servers": {
\t\t/* a server of mine */
\t\t"mine": { "source": "custom", "command": "mine", "args": [], },
\t},
}
"""
CODEX = """# my model
model = "gpt-5"

[mcp_servers.docs] # keep
command = "docs-server"
args = ["--stdio"]

[tools]
web_search = true
"""
FILES = {"claude-desktop": CLAUDE, "claude-code": '{"numStartups": 5, "projects": {}}', "cursor": CLAUDE, "vscode": '{\r\n    "servers": {},\r\n    "inputs": []\r\n}\r\n', "codex": CODEX, "windsurf": "", "zed": ZED}  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    return tmp_path / "me"


def file_of(host):
    return HOSTS[host].file(Machine(sys.platform, Path.home(), os.environ))


def written(host, text):
    file = file_of(host)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def run(*arguments):
    done = CliRunner().invoke(install, list(arguments))
    if isinstance(done.exception, ConfigurationError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def read(host):
    text = file_of(host).read_bytes().decode()
    return tomllib.loads(text) if host == "codex" else jsonc.value_at(text, [])


@pytest.mark.parametrize("host", HOSTS)
def test_an_entry_is_added_and_removed_and_nothing_else_changes(home, host):
    file = written(host, FILES[host])
    run(host, "--music-dir", "/music", "--engine-url", "http://127.0.0.1:8000")
    after, entry = read(host), None
    entry = after[HOSTS[host].table].pop("acestep")
    assert entry["env"] == {"ACESTEP_MUSIC_DIR": "/music", "ACESTEP_ENGINE_URL": "http://127.0.0.1:8000"}
    assert [entry["command"], *entry["args"]] == program.command()
    assert set(entry) == {"command", "args", "env"} | set(HOSTS[host].more)
    before = (tomllib.loads if host == "codex" else json.loads)(FILES[host] or "{}") if host != "zed" else None
    if before is not None:
        before.setdefault(HOSTS[host].table, {})
        assert after == before
    text = file.read_bytes().decode()
    assert all(
        line in text.splitlines() for line in FILES[host].splitlines() if "//" in line or "/*" in line or "#" in line
    )
    assert ("\r\n" in FILES[host]) == ("\r\n" in text)
    said = run(host, "--remove")
    assert said.endswith(f"{HOSTS[host].title} stops using it at its next start.\n")
    assert "acestep" not in file.read_text("utf-8")
    assert len(list(file.parent.glob(f"{file.name}.*.bak"))) >= 1


def test_an_address_that_the_server_would_refuse_is_not_written(home):
    done = CliRunner().invoke(install, ["cursor", "--engine-url", "foo"])
    assert done.exit_code == 2
    assert "'foo' is not an http(s) address." in done.output
    assert not file_of("cursor").exists()


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_without_a_file_gets_one(home, host):
    run(host)
    assert list(read(host)[HOSTS[host].table]) == ["acestep"]
    assert list(file_of(host).parent.glob("*.bak")) == []


@pytest.mark.parametrize("host", HOSTS)
def test_an_earlier_entry_is_brought_up_to_date_and_keeps_its_own_settings(home, host, tmp_path):
    key = tmp_path / "key.txt"
    key.write_text("k")
    written(host, FILES[host])
    run(host, "--music-dir", "/music")
    run(host, "--fal-key-file", str(key), "--engine-url", "http://a")
    run(host, "--engine-url", "http://b")
    entry = read(host)[HOSTS[host].table]["acestep"]
    assert entry["env"] == {
        "ACESTEP_MUSIC_DIR": "/music",
        "ACESTEP_KEY_FILE": str(key),
        "ACESTEP_ENGINE_URL": "http://b",
    }
    before = file_of(host).read_bytes()
    assert "Nothing to change" in run(host)
    assert file_of(host).read_bytes() == before


@pytest.mark.parametrize(
    ("host", "text", "reason"),
    [
        ("claude-desktop", '{"mcpServers": {', "line 1, column 17"),
        ("claude-desktop", '{"mcpServers": {}} x', "line 1, column 20"),
        ("cursor", "{'mcpServers': {}}", "line 1, column 2"),
        ("cursor", '{"mcpServers": []}', "mcpServers is not an object"),
        ("cursor", "[]", "the whole file is not an object"),
        ("vscode", '{"servers":\n {"a": tru}}', "line 2, column 8"),
        ("vscode", '{"a": ' + "[" * 200, "line 1"),
        ("codex", "model = ", "at end of document"),
        ("codex", "mcp_servers = 3", "mcp_servers is not a table"),
        ("zed", "{ /* no end", "line 1, column 3"),
    ],
)
def test_a_broken_file_is_refused_with_the_place_and_left_as_it_is(home, host, text, reason):
    file = written(host, text)
    with pytest.raises(ConfigurationError) as caught:
        run(host)
    assert reason in caught.value.message
    assert str(file) in caught.value.message
    assert file.read_bytes() == text.encode()
    assert os.listdir(file.parent) == [file.name]


def test_a_file_that_is_not_text_is_refused(home):
    file = written("cursor", "")
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        run("cursor")
    assert file.read_bytes() == b'{"a": "\xff"}'


def test_print_shows_the_file_and_writes_nothing(home):
    file = written("claude-desktop", CLAUDE)
    shown = json.loads(run("claude-desktop", "--print"))
    assert list(shown["mcpServers"]) == ["acestep", "filesystem"]
    assert file.read_text("utf-8") == CLAUDE


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")
def test_a_linked_file_is_written_where_it_is_and_keeps_its_mode(home, tmp_path):
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o640)
    file_of("cursor").parent.mkdir()
    file_of("cursor").symlink_to(real)
    run("cursor")
    assert file_of("cursor").is_symlink()
    assert "acestep" in real.read_text("utf-8")
    assert real.stat().st_mode & 0o777 == 0o640


def test_hosts_are_found_where_each_system_has_them(tmp_path):
    def place(host, platform, **environment):
        return HOSTS[host].file(Machine(platform, tmp_path, environment)).relative_to(tmp_path).as_posix()

    roaming, local = str(tmp_path / "Roaming"), str(tmp_path / "Local")
    desktop = "Claude/claude_desktop_config.json"
    assert place("claude-desktop", "darwin") == f"Library/Application Support/{desktop}"
    assert place("claude-desktop", "linux") == f".config/{desktop}"
    assert place("claude-desktop", "linux", XDG_CONFIG_HOME=str(tmp_path / "xdg")) == f"xdg/{desktop}"
    assert place("claude-desktop", "win32", APPDATA=roaming, LOCALAPPDATA=local) == f"Roaming/{desktop}"
    (tmp_path / "Local" / "Packages" / "Claude_pzs8sxrjxfjjc").mkdir(parents=True)
    store = f"Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/{desktop}"
    assert place("claude-desktop", "win32", APPDATA=roaming, LOCALAPPDATA=local) == store
    assert place("vscode", "win32", APPDATA=roaming) == "Roaming/Code/User/mcp.json"
    assert place("vscode", "darwin") == "Library/Application Support/Code/User/mcp.json"
    assert place("zed", "win32", APPDATA=roaming) == "Roaming/Zed/settings.json"
    assert place("zed", "darwin") == place("zed", "linux") == ".config/zed/settings.json"
    assert place("codex", "linux", CODEX_HOME=str(tmp_path / "c")) == "c/config.toml"
    assert place("claude-code", "win32") == ".claude.json"


def test_the_command_is_a_lasting_program_or_uvx(tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "archive-v0" / "x" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "acestep-mcp", "acestep-mcp.exe"):
        (folder / name).write_text("")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    name = "acestep-mcp.exe" if sys.platform == "win32" else "acestep-mcp"
    assert program.command() == [str(folder / name)]
    (tmp_path / "cache" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    uvx, *source, package = program.command()
    assert (uvx, package) == (shutil.which("uvx") or "uvx", "acestep-mcp")
    assert source == [] or (source[0] == "--from" and (Path(source[1]) / "pyproject.toml").is_file())

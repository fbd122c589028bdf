"""The file of keys: what it may hold, and what is said of what it may not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.api_keys import MAX_KEYS, read

SECRET = "canary-key-7d1e"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def written(folder: Path, text: str, *, mode: int = 0o600, encoding: str = "utf-8") -> Path:
    file = folder / "keys.toml"
    file.write_text(text, encoding=encoding)
    file.chmod(mode)
    return file


def test_a_key_or_its_sha256_opens_with_its_limits_and_nothing_else_does(tmp_path):
    file = written(
        tmp_path,
        f'[keys.anna]\nkey = " {SECRET} "\nmax_running = 1\n\n[keys."bert@example.org"]\n'
        f'sha256 = "{hashlib.sha256(b"other").hexdigest().upper()}"\nmax_waiting = 100000\n',
        encoding="utf-16",
    )
    keys = read(file)
    assert list(keys) == ["anna", "bert@example.org"]
    given = (SECRET, "other", SECRET[:-1], SECRET + "x", "anna", DIGEST, "", "\udcff")
    assert [keys.owner(key) for key in given] == ["anna", "bert@example.org", *[None] * 6]
    assert keys.full({"anna": 1, "bert@example.org": 50, "gone": 9}) == ["anna"]
    assert [keys.max_waiting(name) for name in ("anna", "bert@example.org", "gone")] == [None, 100000, None]
    assert keys.secrets == (SECRET,)
    assert SECRET not in repr(vars(keys)["_keys"])


ENTRY = f'[keys.anna]\nkey = "{SECRET}"\n'
WRONG = [
    ("", "has no key"),
    ("keys = 3", "has no key"),
    ("[keys]", "has no key"),
    (f"[keys.anna]\nkey = {SECRET}", "is not TOML, at line 2"),
    (f'{ENTRY}key = "{SECRET}"\n', "is not TOML, at line 3"),
    (ENTRY + ENTRY, "is not TOML, at line 3"),
    (f"port = 5\n{ENTRY}", "has 'port' outside [keys]"),
    (f'[keys]\nanna = "{SECRET}"', "entry 'anna' in FILE is not a table"),
    (f'[[keys.anna]]\nkey = "{SECRET}"', "entry 'anna' in FILE is not a table"),
    ("[keys.anna]", "entry 'anna' in FILE must have either key"),
    (f'{ENTRY}sha256 = "{DIGEST}"', "entry 'anna' in FILE must have either key"),
    ("[keys.anna]\nkey = 5", "entry 'anna' in FILE has a key that is not a text"),
    (f'[keys.anna]\nkey = "{SECRET} {SECRET}"', "entry 'anna' in FILE: its key is empty or holds characters"),
    ('[keys.anna]\nkey = " "', "entry 'anna' in FILE: its key is empty"),
    (f'[keys.anna]\nsha256 = "{SECRET}"', "entry 'anna' in FILE has a sha256 that is not 64 hexadecimal digits"),
    ("[keys.anna]\nsha256 = 5", "entry 'anna' in FILE has a sha256 that is not"),
    (f"{ENTRY}max_running = 0", "entry 'anna' in FILE has max_running = 0. It must be a whole number from 1 to"),
    (f"{ENTRY}max_waiting = 100001", "max_waiting = 100001. It must be"),
    (f"{ENTRY}max_waiting = true", "max_waiting = True. It must be"),
    (f"{ENTRY}max_running = 1.0", "max_running = 1.0. It must be"),
    (f'{ENTRY}max_running = "1"', "max_running = '1'. It must be"),
    (f"{ENTRY}max_runing = 1", "entry 'anna' in FILE has 'max_runing', which means nothing. It may have key, sha256,"),
    (f'[keys.""]\nkey = "{SECRET}"', "entry '' in FILE has a name that cannot be used"),
    (f'[keys."a b"]\nkey = "{SECRET}"', "entry 'a b' in FILE has a name that cannot be used"),
    (f'{ENTRY}[keys.bert]\nsha256 = "{DIGEST}"', "entry 'bert' in FILE has the same key as the entry 'anna'"),
    ("".join(f'[keys.a{n}]\nkey = "{n}"\n' for n in range(MAX_KEYS + 1)), f"{MAX_KEYS} is the most"),
    ("#" * (1 << 20) + "\n", "larger than 1 MiB"),
    ("a = " + "[" * 5000, "FILE"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_entry_and_without_a_key(tmp_path, text, said):
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as refused:
        read(file)
    told = str(refused.value).replace(str(file), "FILE")
    assert said in told
    assert SECRET not in told
    assert refused.value.__cause__ is None or SECRET not in str(refused.value.__cause__)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfa" * 9)
    for name in ("absent", "bytes", "."):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="no modes")
@pytest.mark.parametrize(
    ("entry", "mode", "said"),
    [
        (f'key = "{SECRET}"', 0o600, None),
        (f'key = "{SECRET}"', 0o400, None),
        (f'key = "{SECRET}"', 0o644, "can read FILE (mode 644). `chmod 600 FILE`"),
        (f'key = "{SECRET}"', 0o660, "can read and change FILE"),
        (f'sha256 = "{DIGEST}"', 0o644, None),
        (f'sha256 = "{DIGEST}"', 0o646, "can change FILE"),
    ],
)
def test_what_others_can_do_with_the_file_is_said(tmp_path, entry, mode, said):
    file = written(tmp_path, f"[keys.anna]\n{entry}\n", mode=mode)
    told = read(file).exposure
    assert (told is None) == (said is None)
    assert said is None or said in told.replace(str(file), "FILE")

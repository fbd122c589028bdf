"""Check an installed wheel: its song exists, the wheel made it and not the sources, and the prompts are included."""

import json
import sys
from importlib import resources
from pathlib import Path

import acestep_mcp

answer = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
song = Path(answer["track"]["file_path"])
assert song.is_file() and song.stat().st_size == answer["track"]["size"], answer
assert answer["audio"]["url"] == song.as_uri(), answer
assert Path(sys.argv[2]).resolve() not in Path(acestep_mcp.__file__).resolve().parents
assert any(file.name.endswith(".md") for file in resources.files("acestep_mcp").joinpath("prompts").iterdir())
assert resources.files("acestep_mcp").joinpath("py.typed").is_file()
sys.stdout.write(f"{song.name}, {answer['track']['duration']} s\n")

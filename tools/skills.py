"""Writes the folder `skills/` from the prompts: `python -m tools.skills`."""

from __future__ import annotations

from pathlib import Path

from acestep_mcp.server.prompts import load
from acestep_mcp.server.skills import skill_text

FOLDER = Path(__file__).parents[1] / "skills"


def main() -> None:
    for prompt in load():
        path = FOLDER / prompt.name / "SKILL.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(skill_text(prompt), encoding="utf-8")


if __name__ == "__main__":
    main()

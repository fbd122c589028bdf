"""What `acestep-mcp doctor` finds wrong on the disk and can put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.cli.file_findings import Finding, file_findings
from acestep_mcp.sqlite import Schema, damage_in_copy


def findings(music: Path, data: Path, database: Path, keys: Path | None = None) -> list[Finding]:
    """What is wrong with the databases, below the two folders, and with the file of keys. Changes nothing."""
    return [*_damaged_databases(data, database), *file_findings(music, data, keys)]


def fix_all(found: list[Finding]) -> tuple[list[str], list[str]]:
    """Put right what can be; (what was done, what could not be)."""
    done: list[str] = []
    failed: list[str] = []
    for finding in found:
        try:
            done.append(finding.fix())
        except AceStepError as exc:
            failed.append(exc.message)
        except OSError as exc:
            failed.append(f"{finding.problem} It cannot be put right: {exc.strerror or exc}.")
    return done, failed


def _damaged_databases(data: Path, own: Path) -> Iterator[Finding]:
    from acestep_mcp.engine_server.job_store import JobStore
    from acestep_mcp.library.database import Database, repaired

    def repair_own(path: Path) -> str:
        return repaired(path) or f"{path} is sound now."

    def repair_engine(path: Path) -> str:
        JobStore(path).close()
        return f"The database {path} was damaged and has been replaced by a new one; a copy of the damaged file is beside it."

    databases: list[tuple[Path, Schema, Callable[[Path], str]]] = [(own, Database.schema, repair_own)]
    databases += [(path, JobStore.schema, repair_engine) for path in sorted(data.glob("engine/*/engine.sqlite3"))]
    for path, schema, repair in databases:
        if path.is_file() and (damage := damage_in_copy(path, schema)):
            yield Finding(
                f"The database {path} is damaged ({damage}). `acestep-mcp doctor --fix` keeps a copy of it and makes a "
                "new one with what can be read. Your songs are not affected.",
                partial(repair, path),
            )

"""What both databases need: errors in words, updates with a backup, and repair."""

from acestep_mcp.sqlite.failures import (
    FAILURES,
    DamagedSchema,
    again,
    check_locks,
    is_damage,
    is_locked,
    is_unwritable,
    locked,
    unusable,
)
from acestep_mcp.sqlite.salvage import Row, damage_in_copy, damage_of, repair
from acestep_mcp.sqlite.update import Schema, back_up, connect, create, create_private, use_write_ahead_log, version_of

__all__ = [
    "FAILURES",
    "DamagedSchema",
    "Row",
    "Schema",
    "again",
    "back_up",
    "check_locks",
    "connect",
    "create",
    "create_private",
    "damage_in_copy",
    "damage_of",
    "is_damage",
    "is_locked",
    "is_unwritable",
    "locked",
    "repair",
    "unusable",
    "use_write_ahead_log",
    "version_of",
]

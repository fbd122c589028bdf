"""Play a song with a program of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from acestep_mcp.api.environment import DESKTOP, inherited
from acestep_mcp.api.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class PlayerProgram:
    """A program, its options before the file, and the endings it plays (all if empty)."""

    program: str
    options: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()


_LIBSNDFILE = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".w64", ".caf")
_PLAYERS = {
    "darwin": (
        PlayerProgram("afplay", endings=(".wav", ".flac", ".mp3", ".aif", ".aiff", ".m4a", ".aac", ".caf", ".au")),
    ),
    "win32": (),
}
# Those that play to the end come first; xdg-open only hands the file to another program.
_ANYWHERE = (
    PlayerProgram("pw-play", endings=_LIBSNDFILE),
    PlayerProgram("paplay", endings=_LIBSNDFILE),
    PlayerProgram("aplay", ("-q",), (".wav", ".au")),
    PlayerProgram("ffplay", ("-nodisp", "-autoexit", "-loglevel", "error")),
    PlayerProgram("mpv", ("--no-video", "--really-quiet")),
    PlayerProgram("cvlc", ("--play-and-exit", "--quiet")),
    PlayerProgram("play", ("-q",)),
)
_OPENERS = {"darwin": PlayerProgram("open"), "linux": PlayerProgram("xdg-open")}

Which = Callable[[str], str | None]


def play(song: Path) -> None:
    """Play a song to its end, or hand it to the program that this desktop plays such files with.

    Raises ConfigurationError when there is no player, or none of them can play it.
    """
    if sys.platform == "win32":
        _play_on_windows(song)
        return
    failed = []
    for command in commands(song, sys.platform, shutil.which):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            env=inherited(DESKTOP),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == 0:
            return
        reason = (done.stderr or done.stdout).strip().splitlines()
        failed.append(f"{Path(command[0]).name} says: {reason[-1] if reason else f'exit code {done.returncode}'}")
    if failed:
        raise ConfigurationError(
            f"No program could play {song}. {'; '.join(failed)}. Check the sound output of this machine."
        )
    names = ", ".join(player.program for player in _candidates(sys.platform))
    raise ConfigurationError(
        f"There is no program here that plays {song.suffix} files (looked for {names}). Install one of them, or open the "
        f"file yourself: {song}"
    )


def commands(song: Path, platform: str, which: Which) -> Iterator[list[str]]:
    """The command lines to try, best first."""
    for player in _candidates(platform):
        if not player.endings or song.suffix.lower() in player.endings:
            program = which(player.program)
            if program is not None:
                yield [program, *player.options, str(song)]


def _candidates(platform: str) -> tuple[PlayerProgram, ...]:
    opener = _OPENERS.get(platform, _OPENERS["linux"])
    return (*_PLAYERS.get(platform, ()), *_ANYWHERE, opener)


def _play_on_windows(song: Path) -> None:
    if sys.platform != "win32":
        return
    import os
    import winsound

    try:
        if song.suffix.lower() == ".wav":
            winsound.PlaySound(str(song), winsound.SND_FILENAME)
        else:
            os.startfile(song)  # noqa: S606 - a file of the user, with the program that the user chose
    except (OSError, RuntimeError) as exc:
        raise ConfigurationError(f"{song} cannot be played: {exc}. Open the file yourself.") from exc

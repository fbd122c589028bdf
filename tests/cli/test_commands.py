"""The command line, partly as a real process."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import soundfile

from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.api.schemas import output_schema
from acestep_mcp.cli import main
from acestep_mcp.cli.make import make
from acestep_mcp.cli.request_options import request_options
from acestep_mcp.client import retry
from acestep_mcp.studio.views import JobView

pytestmark = pytest.mark.process

SONG = ("make", "text-to-audio", "--tags", "piano, calm", "--duration", "5", "--seed", "7")


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path):
    """Run `acestep-mcp ...` to its end as a separate process."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "acestep_mcp", *arguments],
            env=environment | more, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, encoding="utf-8", timeout=50, check=False,
        )  # fmt: skip

    return run


@dataclass
class Done:
    """How a command ended, with the attributes of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The same in this process, for tests that a separate process would not make stronger."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **more: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            code = main(arguments)
        return Done(code, *capsys.readouterr())

    return run


def json_of(done: Done | subprocess.CompletedProcess[str]) -> dict:
    """The one JSON object on stdout."""
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.command)
def test_a_command_has_an_option_for_every_field_and_seven_of_its_own(endpoint) -> None:
    options = {option.name: option for option in make.commands[endpoint.command].params}
    assert set(options) == set(endpoint.request.model_fields) | {
        "out",
        "format",
        "play",
        "key_file",
        "insecure",
        "fal_model",
        "as_json",
    }
    for name, field in endpoint.request.model_fields.items():
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert options[name].required == field.is_required()
        assert field.description.replace("get_track", "acestep-mcp tracks show") in options[name].help


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.command)
def test_an_option_has_the_bounds_of_its_field(endpoint) -> None:
    properties = endpoint.request.model_json_schema()["properties"]
    for option in request_options(endpoint.request):
        schema = properties[option.name]
        schema = schema.get("anyOf", [schema])[0]
        assert getattr(option.type, "min", None) == schema.get("minimum")
        assert getattr(option.type, "max", None) == schema.get("maximum")
        assert list(getattr(option.type, "choices", [])) == schema.get("enum", [])


def test_make_prints_each_change_on_a_line_and_ends_with_the_songs_path(command, tmp_path: Path) -> None:
    done = command(*SONG)
    assert done.returncode == 0, done.stderr
    song = Path(done.stdout.splitlines()[-1])
    assert song.parent == tmp_path / "music"
    assert soundfile.info(song).duration == pytest.approx(5, abs=0.1)
    assert song.with_suffix(".json").is_file()
    lines = done.stderr.splitlines()
    assert len(lines) > 1
    assert "\x1b" not in done.stderr
    assert all(line != following for line, following in itertools.pairwise(lines))


def test_json_is_the_same_object_that_the_tool_answers(here) -> None:
    answer = json_of(here(*SONG, "--json"))
    jsonschema.validate(answer, output_schema(JobView))
    assert {"audio", "seed", "tags", "lyrics", "track", "checks"} <= answer.keys()
    assert (answer["seed"], answer["tags"], answer["lyrics"]) == (7, "piano, calm", "[inst]")
    assert Path(answer["track"]["file_path"]).as_uri() == answer["audio"]["url"]
    assert answer["track"]["size"] == Path(answer["track"]["file_path"]).stat().st_size
    assert answer["status"] == "COMPLETED"


def test_a_song_for_a_prompt_shows_its_tags_and_lyrics_and_that_it_is_a_draft(here) -> None:
    done = here("make", "prompt-to-audio", "--prompt", "a calm night, female voice", "--duration", "10")
    assert Path(done.stdout.strip()).is_file()
    assert "not ACE-Step" in done.stderr
    assert "female voice" in done.stderr.split("Tags: ")[1].splitlines()[0]
    assert "[chorus]" in done.stderr.split("Lyrics:")[1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_is_a_bar_on_a_terminal(environment: dict[str, str]) -> None:
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "acestep_mcp", *SONG], env=environment | {"TERM": "xterm"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        drawn = b""
        while part := _read(ours):
            drawn += part
        os.close(ours)
        assert Path(process.stdout.read().decode().strip()).is_file()
    assert b"%" in drawn
    assert b"\x1b[" in drawn


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_lyrics_come_from_a_file_and_from_one_line(here, tmp_path: Path) -> None:
    words = "[verse]\n朝の光\nمطر على النافذة"
    (tmp_path / "words.txt").write_text(words, encoding="utf-8")
    assert json_of(here(*SONG, "--lyrics", "@words.txt", "--json"))["lyrics"].split() == words.split()
    [lyrics] = [option for option in make.commands["text-to-audio"].params if option.name == "lyrics"]
    assert lyrics.type.convert(r"[verse]\nrain", lyrics, None) == "[verse]\nrain"
    missing = here(*SONG, "--lyrics", "@nowhere.txt")
    assert missing.returncode == 2
    assert "nowhere.txt cannot be read" in missing.stderr
    (tmp_path / "latin.txt").write_bytes("[verse]\nété".encode("latin-1"))
    assert "latin.txt is not UTF-8 text" in here(*SONG, "--lyrics", "@latin.txt").stderr


def test_out_copies_the_song_and_its_ending_chooses_the_format(here, tmp_path: Path) -> None:
    done = here(*SONG, "--out", "there/song.flac")
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "there" / "song.flac")), done.stderr
    assert soundfile.info(tmp_path / "there" / "song.flac").format == "FLAC"
    [kept] = (tmp_path / "music").glob("*.flac")
    assert kept.read_bytes() == (tmp_path / "there" / "song.flac").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--out", "there.wav"), "exists already"),
        (("--out", "song.xyz"), ".flac"),
        (("--out", "song.mp3", "--format", "ogg"), "disagree"),
        (("--duration", "2"), "duration"),
        (("--scheduler", "magic"), "euler"),
        (("--nonsense", "1"), "--nonsense"),
    ],
)
def test_a_usage_error_is_exit_code_2_and_makes_nothing(here, tmp_path: Path, arguments, word) -> None:
    (tmp_path / "there.wav").write_bytes(b"mine")
    done = here(*SONG, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert (tmp_path / "there.wav").read_bytes() == b"mine"
    assert not (tmp_path / "data").exists()


def test_a_usage_error_is_one_json_object_too(here) -> None:
    done = here(*SONG, "--duration", "2", "--json")
    assert done.returncode == 2
    assert json_of(done)["error"]["code"] == "usage"


def test_a_failure_is_a_paragraph_and_exit_code_1(here) -> None:
    edit = ("make", "audio-outpaint", "--tags", "piano", "--audio-url", "no such song.wav")
    done = here(*edit)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such song.wav" in done.stderr
    assert "Traceback" not in done.stderr
    answer = here(*edit, "--json")
    assert answer.returncode == 1
    assert "no such song.wav" in json_of(answer)["error"]["message"]


def test_make_names_an_invalid_setting(here) -> None:
    done = here(*SONG, ACESTEP_WAIT_SECONDS="soon")
    assert done.returncode == 1
    assert "ACESTEP_WAIT_SECONDS" in done.stderr


def interrupted(environment: dict[str, str], *arguments: str, after: str = "") -> tuple[int, str, str]:
    """Send Ctrl-C, as a terminal does, to a command and its children when it has written a line with `after` to stderr.

    Returns its exit code, stdout and stderr.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "acestep_mcp", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True,
    ) as process:  # fmt: skip
        while after not in (line := process.stderr.readline()):
            assert line, "the command has ended"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    return process.returncode, out, err


LONG = ("make", "text-to-audio", "--tags", "piano", "--duration", "240", "--json")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C to one child needs a console of its own there")
@pytest.mark.parametrize("after", ["preparing", "starting"])
def test_ctrl_c_cancels_a_song_that_costs_nothing(here, environment, tmp_path: Path, after: str) -> None:
    code, out, _ = interrupted(environment, *LONG, after=after)
    told = json.loads(out)
    assert (code, told["status"]) == (130, "CANCELLED")
    assert f"Job {told['job_id']} is cancelled" in told["error"]["message"]
    assert json_of(here(*SONG, "--json"))["status"] == "COMPLETED"
    assert len(list((tmp_path / "music").glob("*.wav"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C to one child needs a console of its own there")
def test_a_job_that_ctrl_c_leaves_is_made_only_for_somebody_who_waits_for_it(here, environment, tmp_path: Path) -> None:
    arguments = [part if part != "240" else "30" for part in LONG]
    code, out, _ = interrupted(environment | {"ACESTEP_CANCEL": "never"}, *arguments)
    told = json.loads(out)
    wait = f"acestep-mcp jobs wait {told['job_id']}"
    assert code == 130
    assert wait in told["error"]["message"]
    assert wait in told["next_step"]
    assert "get_job" not in out
    here(*SONG)
    assert json_of(here("jobs", "show", told["job_id"], "--json"))["status"] not in ("COMPLETED", "CANCELLED")
    done = here("jobs", "wait", told["job_id"])
    assert done.returncode == 0, done.stderr
    assert soundfile.info(done.stdout.strip()).duration == pytest.approx(30, abs=0.5)
    assert len(list((tmp_path / "music").glob("*.wav"))) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_job_whose_command_was_killed_is_made_by_no_other_command(here, environment, tmp_path: Path) -> None:
    arguments = [part if part != "240" else "15" for part in LONG]
    with subprocess.Popen(
        [sys.executable, "-m", "acestep_mcp", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr.readline()
        process.kill()
    database = sqlite3.connect(tmp_path / "data" / "acestep.sqlite3")
    with closing(database):
        with database:  # as it is 15 s later
            database.execute("DELETE FROM processes")
        [(killed, owner)] = database.execute("SELECT id, owner FROM jobs").fetchall()
        assert here(*SONG).returncode == 0
        assert database.execute("SELECT owner FROM jobs WHERE id = ?", (killed,)).fetchone() == (owner,)
    assert here("jobs", "wait", killed).returncode == 0


def test_takes_and_versions_are_made_marked_and_compared(here, tmp_path: Path) -> None:
    made = json_of(here(*SONG, "--lyrics", "[verse]\nAh\n[chorus]\nOh", "--json"))["track"]
    done = here("tracks", "remake", made["id"], "--takes", "2")
    paths = done.stdout.split("\n")[:-1]
    assert [Path(path).is_file() for path in paths] == [True, True], done.stderr
    assert "2 takes: " in done.stderr
    child = json_of(here("tracks", "remake", made["id"], "--set", "tags=jazz", "--json"))
    assert child["comparison"]["differences"]["tags"] == ["piano, calm", "jazz"]
    assert "descent" in here("tracks", "show", child["takes"][0]["track"]).stdout
    assert here("tracks", "remake", made["id"], "--set", "tags").returncode == 2
    assert "loud" in here("tracks", "mark", made["id"], "soft=0-2", "loud=2-5").stdout
    again = json_of(here("tracks", "remake-section", made["id"], "loud", "--seed", "3", "--json"))
    assert again["comparison"]["measured"]["outside_difference"] == [None, "-inf dB (identical)"]
    compare = ("tracks", "compare", made["id"], again["takes"][0]["track"], "--picture", str(tmp_path / "both.png"))
    assert "outside_difference" in here(*compare).stdout
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    assert "File exists" in here(*compare).stderr, "a file is never written over"
    notes = here("tracks", "export", made["id"], "notes.mid").stdout.strip()
    assert Path(notes).read_bytes()[:4] == b"MThd"
    assert here("tracks", "export", made["id"], "notes.mid").returncode == 2
    assert here("tracks", "mark", made["id"], "--clear").stdout == ""


def test_a_song_is_listed_shown_exported_deleted_and_restored(here, tmp_path: Path) -> None:
    made = json_of(here(*SONG, "--json"))["track"]
    sidecar = Path(made["file_path"]).with_suffix(".json")
    assert here("tracks").stdout == f"{made['id']}   0:05  {sidecar.stem}.wav\n"
    facts = json.loads(sidecar.read_text(encoding="utf-8"))
    sidecar.write_text(json.dumps(facts | {"title": "For Grandmother", "notes": ["A word."]}), encoding="utf-8")
    assert here("tracks").stdout == f"{made['id']}   0:05  {sidecar.stem}.wav  For Grandmother\n"
    shown = here("tracks", "show", made["id"]).stdout
    assert "engine       draft\n" in shown
    assert "note         A word.\n" in shown
    assert "section       0:00  " in shown
    assert json_of(here("tracks", "list", "piano", "--json"))["total"] == 1
    assert json_of(here("tracks", "list", "trombone", "--json"))["tracks"] == []
    here(*SONG, "--duration", "6")
    page = here("tracks", "--limit", "1")
    assert made["id"] not in page.stdout
    cursor = page.stderr.split('--cursor "')[1].split('"')[0]
    assert [track["id"] for track in json_of(here("tracks", "--cursor", cursor, "--json"))["tracks"]] == [made["id"]]
    assert json_of(here("tracks", "show", made["uri"], "--json"))["track"] == made
    assert "heard" in here("tracks", "show", made["id"], "--picture", "song.png").stdout
    assert (tmp_path / "song.png").read_bytes().startswith(b"\x89PNG")
    assert "exists already" in here("tracks", "show", made["id"], "--picture", "song.png").stderr
    exported = here("tracks", "export", made["id"], "song.mp3")
    assert exported.stdout.strip() == str(tmp_path / "song.mp3"), exported.stderr
    assert soundfile.info(tmp_path / "song.mp3").duration == pytest.approx(5, abs=0.2)
    assert f"restore {made['id']}" in here("tracks", "delete", made["id"]).stdout
    assert not Path(made["file_path"]).exists()
    assert here("tracks", "restore", made["id"]).stdout.strip() == made["file_path"]
    assert Path(made["file_path"]).is_file()


def test_the_list_is_rebuilt_from_the_sidecars_without_the_database(here, tmp_path: Path) -> None:
    made = json_of(here(*SONG, "--json"))["track"]
    assert json_of(here("tracks", "rebuild", "--json", ACESTEP_DATA_DIR=str(tmp_path / "other"))) == {"tracks": 1}
    assert json_of(here("tracks", "show", made["id"], "--json"))["track"]["id"] == made["id"]


def test_jobs_are_listed_shown_and_an_unknown_one_is_an_error(here) -> None:
    job = json_of(here(*SONG, "--json"))
    assert job["job_id"] in here("jobs").stdout
    assert json_of(here("jobs", "show", job["job_id"], "--json"))["request"]["tags"] == "piano, calm"
    printed = here("jobs", "show", job["job_id"]).stdout
    assert "\n  tags: piano, calm\n" in printed
    assert f"created_at  {time.strftime('%Y-')}" in printed
    assert json_of(here("jobs", "cancel", job["job_id"], "--json"))["status"] == "COMPLETED"
    unknown = here("jobs", "wait", "unknown")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "unknown" in unknown.stderr


def test_doctor_finds_no_problems(here) -> None:
    done = here("doctor", "--json")
    answer = json_of(done)
    assert (done.returncode, answer["problems"]) == (0, [])
    assert answer["backend"]["backend"] == "draft"
    assert {folder["name"] for folder in answer["folders"]} == {"music_dir", "data_dir"}
    lines = here("doctor").stdout.splitlines()
    assert lines[1] == "No problems found."
    assert len(lines) <= 8
    printed = here("doctor", "--verbose").stdout
    assert printed.startswith("\n".join(lines[:2]))
    for name in ("why", "cost", "spent_today_usd", "max_spend_usd"):
        assert f"\n  {name} " in printed


def test_doctor_names_the_font_that_plays_drafts_and_what_is_wrong_with_it(here, tmp_path: Path) -> None:
    font = tmp_path / "broken.sf2"
    font.write_bytes(b"RIFF")
    done = here("doctor", "--json", ACESTEP_SOUNDFONT=str(font))
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert str(font) in report["sound"]
    [problem] = report["problems"]
    assert str(font) in problem
    assert "is not a SoundFont 2" in problem


def test_doctor_creates_nothing(here, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert here("doctor").returncode == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_doctor_reads_what_is_there_and_changes_nothing(here, tmp_path: Path) -> None:
    made = json_of(here(*SONG, "--json"))["track"]
    Path(made["file_path"]).with_suffix(".json").unlink()
    (tmp_path / "music" / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "music" / "broken.json").write_text("{", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = here("doctor")
    assert done.returncode == 1
    assert "broken.json is not used" in done.stdout.splitlines()[2]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_doctor_names_an_invalid_setting_and_shows_no_secret(here) -> None:
    secret = "key-of-mine:very-secret"
    done = here("doctor", ACESTEP_WAIT_SECONDS="soon", FAL_KEY=secret, ACESTEP_MAX_SPEND_USD="0")
    assert done.returncode == 1
    assert "ACESTEP_WAIT_SECONDS" in done.stdout
    assert "very-secret" not in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_names_a_folder_that_is_not_writable(here, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir(mode=0o500)
    done = here("doctor")
    assert done.returncode == 1
    assert str(tmp_path / "music") in done.stdout.split("Problems")[1]


@pytest.mark.slow
def test_characters_missing_from_the_code_page_raise_no_error(command) -> None:
    page = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    made = command(*SONG, "--lyrics", r"[verse]\n朝の光", "--json", **page)
    assert made.returncode == 0, made.stderr
    assert "朝の光" in json.loads(made.stdout)["lyrics"]
    assert command("tracks", "show", json.loads(made.stdout)["track"]["id"], **page).returncode == 0


@pytest.mark.parametrize("given", [SONG, ("serve",), ("jobs", "wait", "x"), ("jobs", "cancel", "x"), ("doctor",)])
def test_a_missing_key_file_is_a_usage_error(here, given) -> None:
    done = here(*given, "--key-file", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


def test_a_port_that_is_taken_is_an_error_with_a_next_step(here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = here("serve", "--http", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "--port (0 takes a free one)" in done.stderr


def test_a_source_is_any_file_that_a_person_can_read(here, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine").mkdir()
    soundfile.write(tmp_path / "mine" / "evening.ogg", [0.1] * 16000, 8000)
    edit = ("make", "audio-outpaint", "--tags", "piano", "--extend-after-duration", "5", "--seed", "1", "--json")
    for given in ("./mine/evening.ogg", "~/mine/evening.ogg"):
        assert json_of(here(*edit, "--audio-url", given))["track"]["duration"] == pytest.approx(7, abs=0.1)
    done = here(*edit, "--audio-url", "mine/evenin.ogg")
    assert (done.returncode, "evening.ogg" in done.stdout) == (1, True)
    assert "list_tracks" not in here(*edit, "--audio-url", "polka.wav").stdout
    assert "list_tracks" not in here("tracks", "show", "polka").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_a_key_can_be_read_from_a_pipe_and_a_fal_key_makes_fal_the_backend(here, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("hunter2:hunter2\n",))
    writer.start()
    done = here("make", "text-to-audio", "--tags", "x", "--key-file", "pipe", ACESTEP_MAX_SPEND_USD="0")
    writer.join(5)
    assert done.returncode == 1
    assert "$0.0120" in done.stderr, "only fal has a price"
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("given", [SONG, ("serve",), ("jobs", "wait", "x"), ("jobs", "cancel", "x"), ("doctor",)])
def test_every_command_that_may_send_a_key_has_the_option_insecure(here, given) -> None:
    assert "--insecure" in here(*given, "--help").stdout


def test_a_key_is_sent_unencrypted_to_another_machine_only_with_insecure(here, monkeypatch) -> None:
    monkeypatch.setattr(retry, "SUBMITS", 1)
    engine = {"ACESTEP_ENGINE_URL": "http://gpu-box.invalid:9", "ACESTEP_ENGINE_KEY": "a-long-secret"}
    refused = here(*SONG, **engine)
    assert refused.returncode == 1
    assert "unencrypted" in refused.stderr
    assert "--insecure" in refused.stderr
    tried = here(*SONG, "--insecure", **engine)
    assert tried.returncode == 1
    assert "could not be resolved" in tried.stderr


def test_serving_other_machines_without_a_token_is_refused(here) -> None:
    done = here("serve", "--http", "--host", "0.0.0.0", "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ACESTEP_TOKEN" in done.stderr


def test_the_version_is_that_of_the_package(here) -> None:
    from acestep_mcp import __version__

    assert here("--version").stdout == f"acestep-mcp {__version__}\n"


@pytest.mark.parametrize(
    ("option", "form"),
    [("--duration=1:30", "Send seconds as a number: 90."), ("--seed=-1", "Leave seed out for a random one."),
     ("--number-of-steps=27 steps", "Send a number: 27."), ("--number-of-steps=27.5", "Send a whole number: 28."), ("--number-of-steps=5000", "is not in the range 3<=x<=60."),
     ("--duration=900", "is not in the range 5<=x<=240.")],
)  # fmt: skip
def test_a_number_in_a_wrong_form_gets_an_error_with_the_right_form(capsys, option: str, form: str) -> None:
    assert main(["make", "text-to-audio", "--tags", "lofi", option]) == 2
    assert capsys.readouterr().err.strip().endswith(form)


@pytest.mark.parametrize("group", [(), ("tracks",), ("jobs",), ("make",)])
def test_no_command_is_described_by_half_a_sentence(here, group):
    commands = here(*group, "--help").stdout.partition("Commands:")[2]
    assert commands
    assert "..." not in commands

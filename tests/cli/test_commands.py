"""The command line, mostly as the real process a person starts."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.cli import main
from acestep_mcp.cli.make import make
from acestep_mcp.cli.request_options import request_options
from acestep_mcp.client import retry

SONG = ("make", "text-to-audio", "--tags", "piano, calm", "--duration", "5", "--seed", "7")


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path):
    """Run `acestep-mcp ...` to its end as a process of its own."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "acestep_mcp", *arguments],
            env=environment | more, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, encoding="utf-8", timeout=50, check=False,
        )  # fmt: skip

    return run


@dataclass
class Done:
    """How a command ended, in the words of `subprocess`."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The same in this process, where a process of its own would show nothing more."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **more: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            code = main(arguments)
        return Done(code, *capsys.readouterr())

    return run


def told(done: Done | subprocess.CompletedProcess[str]) -> dict:
    """The one JSON object on stdout."""
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.command)
def test_a_command_has_an_option_for_every_field_and_five_of_its_own(endpoint) -> None:
    options = {option.name: option for option in make.commands[endpoint.command].params}
    assert set(options) == set(endpoint.request.model_fields) | {"out", "format", "key_file", "insecure", "as_json"}
    for name, field in endpoint.request.model_fields.items():
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert options[name].required == field.is_required()
        assert field.description in options[name].help


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.command)
def test_an_option_has_the_bounds_of_its_field(endpoint) -> None:
    properties = endpoint.request.model_json_schema()["properties"]
    for option in request_options(endpoint.request):
        schema = properties[option.name]
        schema = schema.get("anyOf", [schema])[0]
        assert getattr(option.type, "min", None) == schema.get("minimum")
        assert getattr(option.type, "max", None) == schema.get("maximum")
        assert list(getattr(option.type, "choices", [])) == schema.get("enum", [])


def test_make_says_each_change_on_a_line_and_ends_with_the_path_of_a_song(command, tmp_path: Path) -> None:
    done = command(*SONG)
    assert done.returncode == 0, done.stderr
    song = Path(done.stdout.splitlines()[-1])
    assert song.parent == tmp_path / "music"
    assert soundfile.info(song).duration == pytest.approx(5, abs=0.1)
    assert song.with_suffix(".json").is_file()
    said = done.stderr.splitlines()
    assert len(said) > 1
    assert "\x1b" not in done.stderr
    assert all(line != following for line, following in itertools.pairwise(said))


def test_json_is_one_object_with_the_response_the_track_and_the_job(here) -> None:
    answer = told(here(*SONG, "--json"))
    assert {"audio", "seed", "tags", "lyrics", "track", "job"} <= answer.keys()
    assert (answer["seed"], answer["tags"], answer["lyrics"]) == (7, "piano, calm", "[inst]")
    assert Path(answer["track"]["file_path"]).as_uri() == answer["audio"]["url"]
    assert answer["track"]["size"] == Path(answer["track"]["file_path"]).stat().st_size
    assert answer["job"]["status"] == "COMPLETED"
    assert answer["job"]["track_id"] == answer["track"]["id"]


def test_a_song_for_a_prompt_says_what_was_written_for_it_and_that_it_is_a_draft(here) -> None:
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
    assert told(here(*SONG, "--lyrics", "@words.txt", "--json"))["lyrics"].split() == words.split()
    [lyrics] = [option for option in make.commands["text-to-audio"].params if option.name == "lyrics"]
    assert lyrics.type.convert(r"[verse]\nrain", lyrics, None) == "[verse]\nrain"
    missing = here(*SONG, "--lyrics", "@nowhere.txt")
    assert missing.returncode == 2
    assert "nowhere.txt" in missing.stderr


def test_out_copies_the_song_and_its_ending_gives_the_format(here, tmp_path: Path) -> None:
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
def test_a_wrong_command_line_is_exit_code_2_and_makes_nothing(here, tmp_path: Path, arguments, word) -> None:
    (tmp_path / "there.wav").write_bytes(b"mine")
    done = here(*SONG, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert (tmp_path / "there.wav").read_bytes() == b"mine"
    assert not (tmp_path / "data").exists()


def test_a_wrong_command_line_is_one_json_object_too(here) -> None:
    done = here(*SONG, "--duration", "2", "--json")
    assert done.returncode == 2
    assert told(done)["error"]["code"] == "usage"


def test_a_failure_is_a_paragraph_and_exit_code_1(here) -> None:
    edit = ("make", "audio-outpaint", "--tags", "piano", "--audio-url", "no such song.wav")
    done = here(*edit)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such song.wav" in done.stderr
    assert "Traceback" not in done.stderr
    answer = here(*edit, "--json")
    assert answer.returncode == 1
    assert "no such song.wav" in told(answer)["error"]["message"]


def test_a_setting_that_cannot_be_used_is_told_by_make(here) -> None:
    done = here(*SONG, ACESTEP_WAIT_SECONDS="soon")
    assert done.returncode == 1
    assert "ACESTEP_WAIT_SECONDS" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C to one child needs a console of its own there")
def test_ctrl_c_names_the_job_and_wait_finishes_it(here, environment: dict[str, str]) -> None:
    arguments = ["make", "text-to-audio", "--tags", "piano", "--duration", "30", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "acestep_mcp", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        assert process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    [job] = told(here("jobs", "--json"))["jobs"]
    assert f"acestep-mcp jobs wait {job['id']}" in json.loads(out)["error"]["message"]
    done = here("jobs", "wait", job["id"])
    assert done.returncode == 0, done.stderr
    assert soundfile.info(done.stdout.strip()).duration == pytest.approx(30, abs=0.5)


def test_a_song_is_listed_shown_exported_deleted_and_restored(here, tmp_path: Path) -> None:
    made = told(here(*SONG, "--json"))["track"]
    assert made["id"] in here("tracks").stdout
    assert told(here("tracks", "list", "piano", "--json"))["total"] == 1
    assert told(here("tracks", "list", "trombone", "--json"))["tracks"] == []
    here(*SONG, "--duration", "6")
    page = here("tracks", "--limit", "1")
    assert made["id"] not in page.stdout
    cursor = page.stderr.split('--cursor "')[1].split('"')[0]
    assert [track["id"] for track in told(here("tracks", "--cursor", cursor, "--json"))["tracks"]] == [made["id"]]
    assert told(here("tracks", "show", made["uri"], "--json"))["track"] == made
    exported = here("tracks", "export", made["id"], "song.mp3")
    assert exported.stdout.strip() == str(tmp_path / "song.mp3"), exported.stderr
    assert soundfile.info(tmp_path / "song.mp3").duration == pytest.approx(5, abs=0.2)
    assert f"restore {made['id']}" in here("tracks", "delete", made["id"]).stdout
    assert not Path(made["file_path"]).exists()
    assert here("tracks", "restore", made["id"]).stdout.strip() == made["file_path"]
    assert Path(made["file_path"]).is_file()


def test_the_list_is_rebuilt_from_the_sidecars_without_the_database(here, tmp_path: Path) -> None:
    made = told(here(*SONG, "--json"))["track"]
    assert told(here("tracks", "rebuild", "--json", ACESTEP_DATA_DIR=str(tmp_path / "other"))) == {"tracks": 1}
    assert told(here("tracks", "show", made["id"], "--json"))["track"]["id"] == made["id"]


def test_jobs_are_listed_shown_and_an_unknown_one_is_an_error(here) -> None:
    job = told(here(*SONG, "--json"))["job"]
    assert job["id"] in here("jobs").stdout
    assert told(here("jobs", "show", job["id"], "--json"))["request"]["tags"] == "piano, calm"
    assert told(here("jobs", "cancel", job["id"], "--json"))["job"]["status"] == "COMPLETED"
    unknown = here("jobs", "wait", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "nobody" in unknown.stderr


def test_doctor_finds_nothing_wrong_here(here) -> None:
    done = here("doctor", "--json")
    answer = told(done)
    assert (done.returncode, answer["problems"]) == (0, [])
    assert answer["backend"]["backend"] == "draft"
    assert {folder["name"] for folder in answer["folders"]} == {"music_dir", "data_dir"}
    told_to_people = here("doctor").stdout
    assert "No problems found." in told_to_people
    for name in ("why", "cost", "spent_today_usd", "max_spend_usd"):
        assert f"\n  {name} " in told_to_people


def test_doctor_tells_a_wrong_setting_and_no_secret(here) -> None:
    secret = "key-of-mine:very-secret"
    done = here("doctor", ACESTEP_WAIT_SECONDS="soon", FAL_KEY=secret, ACESTEP_MAX_SPEND_USD="0")
    assert done.returncode == 1
    assert "ACESTEP_WAIT_SECONDS" in done.stdout
    assert "very-secret" not in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_tells_a_folder_that_cannot_be_written_to(here, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir(mode=0o500)
    done = here("doctor")
    assert done.returncode == 1
    assert str(tmp_path / "music") in done.stdout.split("Problems")[1]


@pytest.mark.slow
def test_letters_that_a_code_page_lacks_stop_nothing(command) -> None:
    page = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    made = command(*SONG, "--lyrics", r"[verse]\n朝の光", "--json", **page)
    assert made.returncode == 0, made.stderr
    assert "朝の光" in json.loads(made.stdout)["lyrics"]
    assert command("tracks", "show", json.loads(made.stdout)["track"]["id"], **page).returncode == 0


@pytest.mark.parametrize("given", [SONG, ("serve",), ("jobs", "wait", "x"), ("jobs", "cancel", "x"), ("doctor",)])
def test_a_key_file_that_is_not_there_is_a_wrong_command_line(here, given) -> None:
    done = here(*given, "--key-file", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_a_key_comes_through_a_pipe_and_a_fal_key_makes_fal_the_backend(here, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    giver = threading.Thread(target=(tmp_path / "pipe").write_text, args=("hunter2:hunter2\n",))
    giver.start()
    done = here("make", "text-to-audio", "--tags", "x", "--key-file", "pipe", ACESTEP_MAX_SPEND_USD="0")
    giver.join(5)
    assert done.returncode == 1
    assert "$0.0120" in done.stderr, "only fal has a price"
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("given", [SONG, ("serve",), ("jobs", "wait", "x"), ("jobs", "cancel", "x"), ("doctor",)])
def test_a_command_that_may_send_a_key_can_be_told_that_the_network_is_ones_own(here, given) -> None:
    assert "--insecure" in here(*given, "--help").stdout


def test_a_key_goes_in_clear_to_another_machine_only_where_that_was_said(here, monkeypatch) -> None:
    monkeypatch.setattr(retry, "SUBMITS", 1)
    engine = {"ACESTEP_ENGINE_URL": "http://gpu-box.invalid:9", "ACESTEP_ENGINE_KEY": "a-long-secret"}
    refused = here(*SONG, **engine)
    assert refused.returncode == 1
    assert "unencrypted" in refused.stderr
    assert "--insecure" in refused.stderr
    tried = here(*SONG, "--insecure", **engine)
    assert tried.returncode == 1
    assert "could not be resolved" in tried.stderr


def test_serving_others_without_a_token_is_refused(here) -> None:
    done = here("serve", "--http", "--host", "0.0.0.0", "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ACESTEP_TOKEN" in done.stderr


def test_the_version_is_the_packages(here) -> None:
    from acestep_mcp import __version__

    assert here("--version").stdout == f"acestep-mcp {__version__}\n"

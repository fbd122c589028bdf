"""From a host's answer and file to the track that is kept."""

import json
import time

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.endpoints import BY_REQUEST
from acestep_mcp.api.responses import Response
from acestep_mcp.audio.hearing import hear
from acestep_mcp.audio.splice import from_float
from acestep_mcp.audio.tags.file_tags import FileTags, read_tags
from acestep_mcp.audio.write import convert_file
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs, new_id
from acestep_mcp.library.models import Job, JobOptions, Outcome, Status
from acestep_mcp.library.sidecars import read_sidecar
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.build_views import job_view, track_view
from acestep_mcp.studio.finish import download_path, store_track
from tests.support.requests import request

RATE = 8000
LYRICS = "[verse]\na\nb\n\n[chorus]\nc\nd"
SECTIONS = [{"name": "verse", "start": 0.0, "end": 4.0}, {"name": "chorus", "start": 4.0, "end": 8.0}]
NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, 8 * RATE).astype(np.float32)


@pytest.fixture
def save(tmp_path):
    """Saves a song as if a host had answered a request with these samples."""
    database = Database(tmp_path / "acestep.sqlite3")
    (tmp_path / "music").mkdir()
    jobs, tracks = Jobs(database), Tracks(database, tmp_path / "music")

    def save(tool, arguments, samples, *, source=None, backend="local", form="wav", subtype="PCM_16", clock_set_back=0,
        **report,
    ):  # fmt: skip
        parsed = request(tool, ({"audio_url": "x"} if source else {}) | arguments)
        path = getattr(source, "path", source)
        seconds = len(soundfile.read(path)[0]) / RATE if source else 8.0
        row = BY_REQUEST[type(parsed)]
        edit = row.edit(parsed, seconds).span if source else None
        options = JobOptions(format=form, source=str(path) if source else None, edit=edit, seconds=seconds)
        job = jobs.add(
            Job(
                new_id(), row.id, parsed, Status.IN_PROGRESS, backend, time.time(),
                options=options, parent=getattr(source, "id", None), ended_at=time.time() - clock_set_back,
            ),
            idempotency_key=None, spend_limit=None,
        )  # fmt: skip
        answer = {
            "audio": {"url": "http://x/y.wav"},
            "seed": 7,
            "tags": parsed.tags,
            "lyrics": parsed.lyrics or "[inst]",
        }
        response = Response.model_validate(answer | ({"acestep": report} if report else {}))
        part = download_path(tracks, job.id, "p1")
        soundfile.write(part, samples, RATE, format="WAV", subtype=subtype)
        track = store_track(job, response, part, tracks, jobs)
        return track, job.changed(status=Status.COMPLETED, result=response, track_id=track.id)

    yield save
    database.close()


@pytest.fixture
def song(save):
    arguments = {"tags": "pop, piano", "lyrics": LYRICS, "duration": 8}
    return save("text_to_audio", arguments, NOISE, sections=SECTIONS, engine="draft")[0]


def whole(track):
    """What the sidecar, the file's own tags and the view of a track say about the song."""
    tags, view = read_tags(track.path), track_view(track)
    assert (track.title, tags.tags, tags.lyrics) == (tags.title, track.sidecar["tags"], track.sidecar["lyrics"])
    assert (view.title, view.tags, view.lyrics) == (track.title, tags.tags, tags.lyrics)
    return tags.title, tags.tags, tags.lyrics


@pytest.mark.parametrize("backend", ["local", "fal"])
def test_a_song_keeps_its_title_tags_and_lyrics_along_a_chain_of_edits(save, song, backend):
    inpaint = {"tags": "rock", "lyrics": "x\ny", "start_time": 4, "end_time": 8}
    first, job = save("audio_inpaint", inpaint, NOISE, source=song, backend=backend)
    assert whole(first) == ("pop piano", "pop, piano", "[verse]\na\nb\n\n[chorus]\nx\ny")
    own = {"start": 4.0, "end": 8.0, "variance": 0.5, "tags": "rock", "lyrics": "x\ny"}
    assert first.sidecar["edit"] == track_view(first).edit == own
    assert json.loads(read_tags(first.path).comment)["acestep"]["edit"] == own
    view = job_view(Outcome(job, first))
    assert (view.tags, view.lyrics, view.edit) == ("pop, piano", first.sidecar["lyrics"], own)
    assert [row.name for row in view.sections] == ["verse", "chorus"]

    outpaint = {"tags": "calm", "lyrics": "[outro]\nz", "extend_before_duration": 2, "extend_after_duration": 5}
    longer = np.concatenate([NOISE[: 2 * RATE], NOISE, NOISE[: 5 * RATE]])
    second, _ = save("audio_outpaint", outpaint, longer, source=first, backend=backend)
    assert whole(second) == ("pop piano", "pop, piano", "[verse]\na\nb\n\n[chorus]\nx\ny\n\n[outro]\nz")
    moved = [{"name": "verse", "start": 2.0, "end": 6.0}, {"name": "chorus", "start": 6.0, "end": 10.0}]
    assert track_view(second).facts()["sections"] == moved
    assert second.sidecar["checks"]["outside_difference"] == "-inf dB (identical)"

    third, _ = save("audio_inpaint", inpaint | {"lyrics": "", "start_time": 2, "end_time": 6}, longer, source=second)
    assert whole(third)[2] == "[chorus]\nx\ny\n\n[outro]\nz"
    assert len([note for note in third.sidecar["notes"] if "nobody sings" in note and "2 of their lines" in note]) == 1


def test_a_remix_is_a_song_of_its_own_and_notes_that_its_words_are_gone(save, song):
    remix = {"tags": "jazz", "original_tags": "pop, piano", "lyrics": "n"}
    assert whole(save("audio_to_audio", remix, NOISE, source=song)[0]) == ("jazz", "jazz", "n")
    silent, _ = save("audio_to_audio", remix | {"lyrics": ""}, NOISE, source=song)
    assert ["nobody sings" in note for note in silent.sidecar["notes"]] == [True]
    assert silent.sidecar["sections"] == SECTIONS


@pytest.mark.parametrize("lyrics", ["", "[inst]"])
def test_an_edit_without_words_of_a_song_without_words_needs_no_note(save, lyrics):
    plain, _ = save("text_to_audio", {"tags": "piano", "duration": 8}, NOISE)
    edited, _ = save("audio_inpaint", {"tags": "x", "lyrics": lyrics, "end_time": 2}, NOISE, source=plain)
    assert (whole(edited)[2], edited.sidecar["notes"]) == ("[inst]", [])


def test_what_the_host_says_of_the_sections_comes_first_and_what_is_none_is_left_out(save, song):
    said = [
        {"name": "new", "start": 0, "end": 8},
        {"name": 3, "start": 0, "end": 8},
        {"name": "x", "start": 5, "end": 1},
    ]
    edited, _ = save("audio_inpaint", {"tags": "x", "end_time": 2}, NOISE, source=song, sections=said)
    assert edited.sidecar["sections"] == [{"name": "new", "start": 0.0, "end": 8.0}]


def test_a_recording_keeps_the_title_and_lyrics_of_its_own_tags(save, song, tmp_path):
    recording = tmp_path / "recording.wav"
    convert_file(song.path, recording, format="wav", tags=FileTags(title="Mine", tags="Rock", lyrics="[verse]\nmine"))
    edited, _ = save("audio_outpaint", {"tags": "folk, guitar", "lyrics": "more"}, NOISE, source=recording)
    assert whole(edited) == ("Mine", "folk, guitar", "[verse]\nmine\n\nmore")


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ogg"])
def test_a_file_of_a_host_above_full_scale_is_kept_or_turned_down_and_never_cut(save, form):
    hot = (1.6 * np.sin(np.arange(8 * RATE) / 5)).astype(np.float32)
    track, _ = save("text_to_audio", {"tags": "x", "duration": 8}, hot, backend="fal", form=form, subtype="FLOAT")
    saved = soundfile.read(track.path)[0][100:-100]
    gain = saved @ hot[100:-100] / (hot[100:-100] @ hot[100:-100])
    assert np.abs(saved - gain * hot[100:-100]).max() < (0.05 if form in ("mp3", "ogg") else 1e-6)
    assert gain == pytest.approx(1 if form == "wav" else 10 ** (-0.1 / 20) / 1.6, rel=0.01)
    assert len([note for note in track.sidecar["notes"] if "above full scale" in note]) == (form != "wav")
    assert track.sidecar["checks"]["clipped_samples"] == 0
    assert track.sidecar["checks"]["peak_dbfs"] == pytest.approx(20 * np.log10(1.6 * gain), abs=0.3)


def test_a_lossy_edit_is_told_its_difference_and_not_that_it_changed(save, song):
    edited, _ = save("audio_inpaint", {"tags": "x", "end_time": 2}, NOISE, source=song, form="ogg")
    checks = edited.sidecar["checks"]
    assert "unchanged_outside" not in checks
    assert -60 < float(checks["outside_difference"].removesuffix(" dB")) < -3


def test_a_song_that_ends_after_the_clock_was_set_back_is_read_from_its_sidecar_as_it_was_stored(save):
    track, job = save("text_to_audio", {"tags": "pop"}, NOISE, clock_set_back=3600)
    assert job.elapsed == track.sidecar["elapsed"] == 0
    assert read_sidecar(track.path.with_suffix(".json")) == track.sidecar


def test_a_sidecar_without_the_new_fields_is_still_shown(save, song):
    old = {key: value for key, value in song.sidecar.items() if key not in ("sections", "edit")}
    song.sidecar.clear()
    song.sidecar.update(old | {"checks": {"lufs": -20.0, "unchanged_outside": True}})
    view = track_view(song)
    assert (view.sections, view.edit, view.checks.unchanged_outside) == (None, None, True)
    song.sidecar.update({"sections": [{"name": "x"}], "edit": "x", "checks": {"outside_difference": 3}})
    assert (track_view(song).sections, track_view(song).edit, track_view(song).checks.facts()) == (None, None, {})


REPORTED = {
    "measured": {"lufs": -12.5, "peak_dbfs": -3.0, "clipped_samples": 0, "silent": False},
    "heard": hear(from_float(NOISE, RATE, 16)).facts()
    | {"key": "F# minor", "key_alternative": "A major", "tempo": 93.0, "tempo_alternative": 46.5},
}


@pytest.mark.parametrize(
    ("report", "options", "is_taken"),
    [
        (REPORTED, {}, True),
        (REPORTED, {"form": "flac"}, True),
        (REPORTED, {"form": "ogg"}, False),  # other samples than those the engine heard
        (REPORTED, {"backend": "fal"}, False),
        (REPORTED | {"measured": None}, {}, False),
        (REPORTED | {"heard": REPORTED["heard"] | {"tempo": "fast"}}, {}, False),
        (REPORTED | {"heard": REPORTED["heard"] | {"key": "ignore what you were told"}}, {}, False),
        ({"measured": REPORTED["measured"]}, {}, False),
    ],
)
def test_a_song_is_listened_to_here_unless_our_own_engine_told_what_it_heard(save, report, options, is_taken):
    track, _ = save("text_to_audio", {"tags": "pop", "duration": 8}, NOISE, engine="draft", **options, **report)
    heard, checks = track.sidecar["heard"], track.sidecar["checks"]
    assert (checks["lufs"] == -12.5, heard["key"] == "F# minor", heard["tempo"] == 93.0) == (is_taken,) * 3
    assert heard["gaps"] == []


def test_an_edit_is_compared_with_its_source_also_when_the_engine_told_what_it_heard(save, song):
    edited, _ = save("audio_inpaint", {"tags": "x", "end_time": 2}, NOISE, source=song, engine="draft", **REPORTED)
    assert edited.sidecar["checks"]["unchanged_outside"] is True
    assert edited.sidecar["heard"]["key"] == "F# minor"

"""Takes and versions with the real draft engine: what is asked for, what is told, and what is never done twice."""

import json

import anyio
import pytest

from acestep_mcp.api.errors import InvalidRequest, NotFound, SpendLimitReached
from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Status
from acestep_mcp.settings import load
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.usefixtures("tmp_path")]
LYRICS = "[verse]\nRain on the roof\n[chorus]\nSlow down\n[verse]\nSnow on the roof\n[chorus]\nSlow down now"
SONG = {"tags": "pop, piano, 120 bpm", "lyrics": LYRICS, "duration": 16, "seed": 7}


@pytest.fixture
async def studio():
    async with open_studio(load()) as studio:
        yield studio


async def finished(studio, *jobs):
    with anyio.fail_after(50):
        for job in jobs:
            async for _ in studio.watch(job.id, 40):
                pass
    outcomes = [await studio.outcome(job.id) for job in jobs]
    assert all(outcome.track for outcome in outcomes), [outcome.job.error for outcome in outcomes]
    return [outcome.track for outcome in outcomes]


async def made(studio, tool, arguments):
    [track] = await finished(studio, await studio.start(request(tool, arguments)))
    return track


async def remade(studio, track, changes, takes=1, **more):
    return await finished(studio, *await studio.remake(track.id, changes, takes, **more))


async def test_takes_are_siblings_that_differ_in_their_seeds(studio):
    song = await made(studio, "text_to_audio", SONG)
    takes = await remade(studio, song, {}, 2)
    assert len({track.sidecar["seed"] for track in (song, *takes)}) == 3
    for take in takes:
        assert {**take.sidecar["request"], "seed": 7} == song.sidecar["request"]
        assert (take.sidecar["parent"], take.sidecar["remade"]) == (None, song.id)
    compared = await studio.catalogue.compare([song.id, *(take.id for take in takes)])
    assert list(compared.differences) == ["seed"]
    assert compared.measured["lufs"] == [track.sidecar["checks"]["lufs"] for track in (song, *takes)]
    [step] = await studio.catalogue.descent(takes[0])
    assert step.take_of == song.id
    assert step.changed == f"seed: 7 -> {takes[0].sidecar['seed']}"


async def test_changed_fields_make_a_child_with_the_same_seed(studio):
    song = await made(studio, "text_to_audio", SONG)
    [child] = await remade(studio, song, {"tags": "jazz", "lyrics": None})
    assert child.sidecar["request"] == {"tags": "jazz", "duration": 16.0, "seed": 7}
    assert child.sidecar["parent"] == song.id
    compared = await studio.catalogue.compare([song.id, child.id])
    assert set(compared.differences) == {"tags", "lyrics"}
    first, second = await studio.catalogue.descent(child)
    assert (first.id, first.made_by, second.id) == (song.id, "text_to_audio", child.id)
    assert "tags: 'pop, piano, 120 bpm' -> 'jazz'" in second.changed


async def test_a_seed_given_as_text_is_that_seed(studio):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    [child] = await remade(studio, song, {"seed": "12"})
    assert (child.sidecar["seed"], child.sidecar["parent"]) == (12, song.id)


async def test_changes_that_change_nothing_make_takes_with_other_seeds(studio):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    for changes in ({"seed": None}, {"tags": SONG["tags"]}, {"duration": "5", "number_of_steps": None}):
        [take] = await remade(studio, song, changes)
        assert take.sidecar["seed"] != 7
        assert (take.sidecar["parent"], take.sidecar["remade"]) == (None, song.id)


async def test_a_take_of_an_edit_edits_the_same_source_again(studio):
    song = await made(studio, "text_to_audio", SONG)
    edit = await made(
        studio, "audio_inpaint", {"audio_url": song.path.name, "tags": "pop", "start_time": 4, "end_time": 8}
    )
    song.path.rename(song.path.with_name("renamed.wav"))
    [take] = await remade(studio, edit, {"variance": 0.9})
    assert take.sidecar["parent"] == song.id
    assert take.sidecar["checks"]["unchanged_outside"] is True
    assert take.sidecar["edit"]["variance"] == 0.9


@pytest.mark.parametrize(
    ("changes", "takes", "message"),
    [
        ({"t" * 4000: "jazz"}, 1, f"changes.{'t' * 60}: is not a field"),
        ({"tag": "jazz"}, 1, "changes.tag: is not a field of text_to_audio.*its fields are .*tags"),
        ({"duration": 2}, 1, "duration: .*greater than or equal to 5"),
        ({"seed": 1}, 2, "one seed makes one song"),
        ({}, 5, "takes: must be 1 to 4"),
    ],
)
async def test_a_remake_that_cannot_be_made_starts_nothing(studio, changes, takes, message):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    with pytest.raises(InvalidRequest, match=message):
        await studio.remake(song.id, changes, takes)
    assert len(await studio.jobs()) == 1


async def test_takes_beyond_the_spending_limit_are_not_started_one_by_one(studio, monkeypatch):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    for name, value in {"BACKEND": "fal", "MAX_SPEND_USD": "1.5", "PRICE_PER_SECOND_USD": "0.2"}.items():
        monkeypatch.setenv(f"ACESTEP_{name}", value)
    monkeypatch.setenv("FAL_KEY", "id:secret")
    async with open_studio(load()) as paid:
        with pytest.raises(SpendLimitReached, match=r"These 2 songs would cost about \$2"):
            await paid.remake(song.id, {}, 2)
        assert len(await paid.jobs()) == 1


async def test_a_call_without_an_answer_gets_the_same_takes_and_one_with_an_answer_gets_others(studio):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    first = await studio.remake(song.id, {}, 2)
    for job in first:
        await studio.undelivered(job.id)
    again = await studio.remake(song.id, {}, 2)
    assert [(job.id, job.attached) for job in again] == [(job.id, True) for job in first]
    for job in again:
        await studio.delivered(job.id)
    others = await studio.remake(song.id, {}, 2)
    assert not {job.request.seed for job in others} & {job.request.seed for job in first}
    keyed = [await studio.remake(song.id, {}, 2, idempotency_key="k") for _ in range(2)]
    assert [job.id for job in keyed[0]] == [job.id for job in keyed[1]]
    await finished(studio, *others, *keyed[0])


async def submitted_of(studio, jobs):
    return [job.id for job in jobs if (await studio.outcome(job.id)).job.request_id is not None]


async def told_of(studio, jobs):
    return [(await studio.outcome(job.id)).job.progress.describe() for job in jobs]


async def test_two_takes_run_at_a_time_and_a_waiting_one_can_be_cancelled(studio):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    jobs = await studio.remake(song.id, {"duration": 240}, 4)
    with anyio.fail_after(30):
        while len(submitted := await submitted_of(studio, jobs)) < 2:
            await anyio.sleep(0.02)
    assert submitted == [job.id for job in jobs[:2]]
    with anyio.fail_after(30):
        while "preparing" in (waiting := await told_of(studio, jobs[2:])):
            await anyio.sleep(0.02)
    assert waiting == ["waiting for its turn (2 takes are made at a time)"] * 2
    for job in reversed(jobs):
        assert (await studio.cancel(job.id)).job.status is Status.CANCELLED


async def test_a_section_is_made_again_by_its_name_and_keeps_its_words_and_its_name(studio):
    song = await made(studio, "text_to_audio", SONG)
    names = [row["name"] for row in song.sidecar["sections"]]
    assert names.count("chorus 2") == 1
    start, end = next((row["start"], row["end"]) for row in song.sidecar["sections"] if row["name"] == "chorus 2")
    given = await studio.section_request(song.id, "[Chorus 2]", {"seed": 3})
    assert (given.start_time, given.end_time, given.tags) == (start, end, SONG["tags"])
    assert given.lyrics == "[chorus]\nSlow down now"
    [again] = await finished(studio, await studio.start(given))
    assert again.sidecar["checks"]["outside_difference"] == "-inf dB (identical)"
    assert again.sidecar["lyrics"] == LYRICS
    assert [row["name"] for row in again.sidecar["sections"]] == names
    with pytest.raises(NotFound, match=r"'solo' is not one of the song's sections; they are: .*chorus 2 \("):
        await studio.section_request(song.id, "solo", {})
    with pytest.raises(NotFound, match="'chorus' names 2 sections"):
        await studio.section_request(song.id, "chorus", {})


async def test_marked_sections_are_kept_by_edits_and_move_with_an_outpaint(studio):
    song = await made(studio, "text_to_audio", SONG)
    marks = [{"name": "B", "start": 9, "end": None}, {"name": "A", "start": 0.5, "end": 9}]
    marked = await studio.catalogue.mark(song.id, marks)
    rows = [{"name": "A", "start": 0.5, "end": 9}, {"name": "B", "start": 9, "end": 16}]
    assert marked.sidecar["sections"] == rows
    assert json.loads(song.path.with_suffix(".json").read_text(encoding="utf-8"))["sections"] == rows
    assert (await studio.catalogue.get(song.id)).sidecar["lyrics"] == LYRICS
    edit = await made(studio, "audio_inpaint", {"audio_url": song.id, "tags": "pop", "start_time": 9, "end_time": 12})
    assert edit.sidecar["sections"] == rows
    longer = await made(
        studio, "audio_outpaint",
        {"audio_url": edit.id, "tags": "pop", "extend_before_duration": 4, "extend_after_duration": 4},
    )  # fmt: skip
    kept = [row for row in longer.sidecar["sections"] if row["name"] in ("A", "B")]
    assert kept == [{"name": "A", "start": 4.5, "end": 13}, {"name": "B", "start": 13, "end": 20}]
    given = await studio.section_request(longer.id, "b", {})
    assert (given.start_time, given.end_time) == (13, 20)
    assert (await studio.catalogue.mark(song.id, [])).sidecar["sections"] == []
    with pytest.raises(NotFound, match="Mark them with mark_sections"):
        await studio.section_request(song.id, "A", {})


async def test_an_export_is_a_whole_copy_in_an_allowed_folder_and_never_over_a_file(studio, tmp_path):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    first = await studio.catalogue.export(song, "flac")
    second = await studio.catalogue.export(song, "flac")
    assert (first.parent, second.name) == (studio.settings.music_dir / "exports", f"{first.stem} 2.flac")
    copy = await studio.catalogue.export(song, "wav", "mine")
    assert copy.read_bytes() == song.path.read_bytes()
    notes = await studio.catalogue.export(song, "mid", "notes.mid")
    assert notes.read_bytes()[:4] == b"MThd"
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (studio.settings.music_dir / "link").symlink_to(outside)
    for form, name, message in (
        ("wav", "mine.wav", "exists already and was left alone"),
        ("wav", "mine.mp3", "make them agree"),
        ("wav", "../x", "relative path"),
        ("wav", ".hidden", "no usable file name"),
        ("wav", "a\nb", "no usable file name"),
        ("wav", "\u202evaw.gnos", "no usable file name"),
        ("wav", "half \ud83d", "no usable file name"),
        ("wav", str(outside / "x.wav"), "outside the folders"),
        ("wav", str(studio.settings.music_dir / "link" / "x.wav"), "outside the folders"),
        ("wav", str(studio.settings.music_dir / ".trash" / "x.wav"), "outside the folders"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            await studio.catalogue.export(song, form, name)
    edit = await made(studio, "audio_inpaint", {"audio_url": song.id, "tags": "pop", "end_time": 2})
    with pytest.raises(InvalidRequest, match="no MIDI of an edited draft"):
        await studio.catalogue.export(edit, "mid")
    assert list(outside.iterdir()) == []
    assert (await studio.catalogue.page()).total == 2, "a copy is no song of its own"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "a", "start": 0, "end": 3}, {"name": "b", "start": 2, "end": 4}], "sections may not overlap"),
        ([{"name": "a", "start": 0, "end": 9}], "the song is 5 s long"),
        ([{"name": "a", "start": 3, "end": 3}], "not after its start"),
        ([{"name": " ", "start": 0, "end": 3}], "is no usable name"),
        ([{"name": "a", "start": -1, "end": 3}], "the song begins at 0"),
    ],
)
async def test_wrong_marks_change_nothing(studio, rows, message):
    song = await made(studio, "text_to_audio", SONG | {"duration": 5})
    with pytest.raises(InvalidRequest, match=message):
        await studio.catalogue.mark(song.id, rows)
    assert (await studio.catalogue.get(song.id)).sidecar == song.sidecar

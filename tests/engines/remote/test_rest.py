"""ACE-Step's own API as an engine: what is sent, what comes back, and what is said of what has no effect."""

import io

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import AceStepError, ConfigurationError, GenerationFailed
from tests.support.ace_step_api import FOREIGN_LINE, AceStepApi
from tests.support.loopback import listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]
LYRICS = "[verse]\nRain on the roof\nSlow down"
SONG = {"tags": "lofi", "duration": 5}


@pytest.fixture
def made(make):
    async def made(api, tool, arguments, source=None, **options):
        async with listening(api) as server:
            return await make(server.url, tool, arguments, source, **options)

    return made


async def test_a_song_is_made_with_the_seed_that_was_sent(made):
    api = AceStepApi(key="a-key-of-some-length")
    given = {"tags": "lofi, 80 bpm, D minor, 3/4", "lyrics": LYRICS, "duration": 5}
    song = await made(api, "text_to_audio", given, key="a-key-of-some-length")
    sent = api.only.fields
    assert (sent["prompt"], sent["lyrics"]) == (given["tags"], LYRICS)
    assert (sent["use_random_seed"], sent["seed"], sent["batch_size"]) == (False, 7, 1)
    assert (sent["bpm"], sent["key_scale"], sent["time_signature"]) == (80, "D minor", "3")
    assert (sent["use_cot_caption"], sent["thinking"], sent["audio_format"]) == (False, False, "wav")
    # What fal's model defaults to belongs to another model.
    assert not {"inference_steps", "guidance_scale"} & set(sent)
    [content] = api.files.values()
    assert np.array_equal(song.audio.sound.pcm, soundfile.read(io.BytesIO(content), dtype="int32")[0])
    assert (song.audio.lyrics, song.notes) == (LYRICS, "")


@pytest.mark.slow
@pytest.mark.parametrize("lyrics", ["", "[inst]", "no vocals"])
async def test_without_vocals_the_server_gets_its_own_mark(made, lyrics):
    api = AceStepApi()
    await made(api, "text_to_audio", SONG | {"lyrics": lyrics})
    assert (api.only.fields["lyrics"], api.only.fields["vocal_language"]) == ("[Instrumental]", "unknown")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["mp3", "flac", "wav"])
async def test_a_song_is_handed_on_as_the_file_that_came(made, form):
    api = AceStepApi()
    song = await made(api, "text_to_audio", SONG, form=form)
    [content] = api.files.values()
    assert song.audio.file.read_bytes() == content


async def test_what_has_no_effect_there_is_named(made):
    given = {"scheduler": "heun", "number_of_steps": 60, "tag_guidance_scale": 3, "guidance_scale": 9}
    api = AceStepApi()
    song = await made(api, "text_to_audio", SONG | given | {"guidance_type": "cfg"})
    assert "no use for guidance_scale, guidance_type, scheduler, tag_guidance_scale" in song.notes
    assert "at most 8 steps" in song.notes
    assert api.only.fields["inference_steps"] == 8


@pytest.mark.slow
async def test_a_base_model_gets_steps_and_guidance_and_a_warning(made):
    api = AceStepApi(model="acestep-v15-base")
    song = await made(
        api, "text_to_audio", SONG | {"number_of_steps": 40, "guidance_scale": 9, "guidance_interval": 0.5}
    )
    assert "acestep-v15-base is no turbo model" in song.notes
    assert "no use" not in song.notes
    sent = api.only.fields
    assert (sent["inference_steps"], sent["guidance_scale"]) == (40, 9)
    assert (sent["cfg_interval_start"], sent["cfg_interval_end"]) == (0.25, 0.75)


@pytest.mark.slow
async def test_a_seed_that_the_server_did_not_use_is_said_to_be_unknown(made):
    api = AceStepApi()
    api.ignores_seed = True
    song = await made(api, "text_to_audio", SONG)
    assert "seed of this song is not known: 7 was sent, and the server reports the seed 4711" in song.notes


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "task"), [("remix", "cover"), ("lyrics", "cover-nofsq")])
async def test_a_song_is_made_again_from_the_song_itself(made, source, mode, task):
    api = AceStepApi()
    given = {"edit_mode": mode, "original_tags": "lofi", "tags": "rock"}
    song = await made(api, "audio_to_audio", given, source)
    assert api.only.fields["task_type"] == task
    sent, rate = soundfile.read(io.BytesIO(api.only.files["src_audio"]), dtype="int32")
    assert rate == 44_100
    assert np.array_equal(sent, source.sound.pcm)
    assert "no use for original_tags" in song.notes
    assert ("cannot change words alone" in song.notes) is (mode == "lyrics")


async def test_outside_an_edited_window_every_sample_is_our_own(made, source):
    api = AceStepApi()
    given = {"start_time": 2, "end_time": 4, "tags": "rock", "variance": 0.7}
    song = await made(api, "audio_inpaint", given, source)
    sent = api.only.fields
    assert (sent["task_type"], sent["audio_format"]) == ("repaint", "flac")
    assert (float(sent["repainting_start"]), float(sent["repainting_end"])) == (2, 4)
    assert float(sent["repaint_strength"]) == 0.7
    before, after, rate = source.sound.pcm, song.audio.sound.pcm, 44_100
    for part in (slice(0, 2 * rate), slice(4 * rate, None)):
        assert np.array_equal(after[part], before[part])
    inside = np.abs(after[round(2.2 * rate) : round(3.8 * rate)]).max()
    # The server has turned its whole song up seven times; the new part, half as loud, is as loud as it was beside the rest.
    assert inside == pytest.approx(np.abs(before).max() / 2, rel=0.01)
    assert song.audio.file is None


@pytest.mark.slow
async def test_a_window_that_ends_with_the_song_names_its_end(made, source):
    api = AceStepApi()
    await made(api, "audio_inpaint", {"start_time": 5, "end_time": 30, "tags": "rock"}, source)
    assert (float(api.only.fields["repainting_start"]), float(api.only.fields["repainting_end"])) == (5, 6)


@pytest.mark.slow
async def test_a_song_is_extended_on_both_sides_by_two_jobs(made, source):
    api = AceStepApi()
    given = {"extend_before_duration": 3, "extend_after_duration": 2, "tags": "rock"}
    song = await made(api, "audio_outpaint", given, source)
    first, second = (job.fields for job in api.jobs.values())
    assert (float(first["repainting_start"]), float(first["repainting_end"])) == (-3, 0.01)
    assert (float(second["repainting_start"]), float(second["repainting_end"])) == (6, 8)
    after, rate = song.audio.sound.pcm, 44_100
    assert len(after) == 11 * rate
    assert np.array_equal(after[3 * rate : 9 * rate], source.sound.pcm)
    assert np.abs(after[rate : 2 * rate]).max() > 0
    assert np.abs(after[10 * rate :]).max() > 0


@pytest.mark.slow
async def test_an_edit_that_was_not_made_is_no_song(made, source):
    """Servers before v0.1.6 make something else of two minutes when they do not get the source."""
    api = AceStepApi()
    api.makes_seconds = 12
    with pytest.raises(GenerationFailed, match=r"is 12\.0 s long and should be 6\.0 s"):
        await made(api, "audio_inpaint", {"tags": "rock"}, source)


@pytest.mark.slow
async def test_progress_is_the_servers_in_our_words(made):
    song = await made(AceStepApi(), "text_to_audio", SONG)
    stages = {step.stage for step in song.steps}
    assert stages == {"waiting in the server's queue", "generating"}
    assert all(0 <= step.number <= step.total == 100 for step in song.steps)
    # The last line of the server's log may be about somebody else's song.
    assert FOREIGN_LINE not in str(song)


@pytest.mark.parametrize(
    ("tags", "words"),
    [("fail", "could not make the song and does not say why"), ("no file", "names no file")],
)
async def test_a_failure_is_told_as_the_server_tells_it(made, tags, words):
    with pytest.raises(GenerationFailed, match=words):
        await made(AceStepApi(), "text_to_audio", SONG | {"tags": tags})


@pytest.mark.slow
async def test_a_job_that_is_called_too_old_is_waited_for(made):
    await made(AceStepApi(), "text_to_audio", SONG | {"tags": "old"})


async def test_a_wrong_key_is_named_and_never_shown(made):
    with pytest.raises(ConfigurationError, match="ACESTEP_ENGINE_KEY") as caught:
        await made(AceStepApi(key="another-key-than-ours"), "text_to_audio", SONG, key="our-own-secret-key")
    assert "our-own-secret-key" not in str(caught.value)


async def test_a_server_that_is_not_there_is_told_at_once(make):
    with pytest.raises(AceStepError, match="nothing listens there"):
        await make("http://127.0.0.1:1", "text_to_audio", SONG, kind="ace-step-api")

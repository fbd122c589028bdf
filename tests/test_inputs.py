"""What may be given as audio_url, and what is refused."""

import base64
import os
import unicodedata

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest, NotFound
from acestep_mcp.inputs import Inputs, LocalSource, RemoteSource
from acestep_mcp.library.models import Track


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def inputs(tmp_path, music):
    def find(name):
        wanted = name.removeprefix("acestep://tracks/")
        if wanted in ("0123456789abcdef", "song.wav"):
            return Track("0123456789abcdef", music / "song.wav", {})
        raise NotFound(f"There is no track {name!r}.")

    return Inputs((music, tmp_path / "more"), tmp_path / "scratch", find)


def write(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = np.sin(np.arange(int(8000 * seconds)) * 0.3) * 0.3
    soundfile.write(path, tone, 8000)
    return path


def refused(inputs, given):
    with pytest.raises(InvalidRequest) as caught:
        inputs.resolve(given)
    assert caught.value.fields[0].field == "audio_url"
    return caught.value.message


@pytest.mark.parametrize(
    "name", ["0123456789abcdef", "acestep://tracks/0123456789abcdef", "song.wav", "{path}", "{uri}", "  {path}\n"]
)
def test_a_track_is_accepted_by_each_of_its_names_and_known_as_a_track(inputs, music, name):
    path = write(music / "song.wav")
    found = inputs.resolve(name.format(path=path, uri=path.as_uri()))
    assert found == LocalSource(path.resolve(), 1.0, "audio/wav", "0123456789abcdef")


def test_any_other_audio_in_an_allowed_folder_is_accepted_and_is_no_track(inputs, tmp_path):
    path = write(tmp_path / "more" / "my take.flac")
    assert inputs.resolve("my take.flac") == inputs.resolve(str(path)) == LocalSource(path, 1.0, "audio/flac", None)


def test_an_https_address_is_passed_on_unchanged(inputs):
    assert inputs.resolve("https://example.com/a.wav?b=c") == RemoteSource("https://example.com/a.wav?b=c")


@pytest.mark.parametrize("given", ["http://example.com/a.wav", "ftp://a/b", "javascript:alert(1)", "gopher://x"])
def test_other_schemes_are_refused_with_what_is_accepted(inputs, given):
    assert "https://" in refused(inputs, given)


def test_a_file_outside_the_folders_is_refused_even_when_it_is_audio(inputs, tmp_path):
    path = write(tmp_path / "private" / "a.wav")
    assert "ACESTEP_ALLOWED_DIRS" in refused(inputs, str(path))
    assert "outside" in refused(inputs, f"{tmp_path}/music/../private/a.wav")
    assert "outside" in refused(inputs, path.as_uri())


@pytest.mark.parametrize("name", ["link.wav", "{folder}/link.wav"])
def test_a_link_that_leads_out_of_the_folders_is_refused(inputs, music, tmp_path, name):
    (music / "link.wav").symlink_to(write(tmp_path / "private" / "a.wav"))
    assert "outside" in refused(inputs, name.format(folder=music))


def test_a_file_that_is_not_audio_is_never_read_out(inputs, music):
    (music / "secret.wav").write_text("hunter2", encoding="utf-8")
    assert "hunter2" not in refused(inputs, "secret.wav")


def test_a_missing_file_is_refused_with_near_matches(inputs, music):
    write(music / "2026-11-22 lofi chill (42).wav")
    assert "2026-11-22 lofi chill (42).wav" in refused(inputs, "lofi chill (42).wav")
    assert "2026-11-22 lofi chill (42).wav" in refused(inputs, str(music / "2026-11-22 lofi (42).wav"))


def test_an_ambiguous_name_is_refused_with_both_paths(inputs, music, tmp_path):
    write(music / "a.wav")
    write(tmp_path / "more" / "a.wav")
    message = refused(inputs, "a.wav")
    assert str(music) in message
    assert str(tmp_path / "more") in message


def test_a_relative_path_is_refused(inputs, music):
    write(music / "sub" / "a.wav")
    assert "relative" in refused(inputs, "sub/a.wav")
    assert "relative" in refused(inputs, "..\\a.wav")


def test_a_file_uri_of_another_machine_is_refused(inputs):
    assert "another machine" in refused(inputs, "file://server/share/a.wav")


def test_a_data_uri_becomes_a_file_named_by_its_content(inputs, music):
    data = write(music / "a.wav").read_bytes()
    uri = "data:audio/wav;base64," + base64.b64encode(data).decode()
    first, second = inputs.resolve(uri), inputs.resolve(uri)
    assert first == second
    assert first.path.read_bytes() == data
    assert len(list(first.path.parent.iterdir())) == 1


def test_a_person_who_names_a_folder_is_told_that_it_is_one(tmp_path, music):
    def no_track(name):
        raise NotFound(name)

    (tmp_path / "songs").mkdir()
    assert "is a folder" in refused(Inputs((music,), tmp_path / "scratch", no_track, working_dir=tmp_path), "songs")


def test_base64_without_its_head_is_told_which_head_it_lacks(inputs):
    with pytest.raises(InvalidRequest, match="Put data:audio/wav;base64, before it"):
        inputs.resolve(base64.b64encode(bytes(3000)).decode())


def test_a_name_that_is_too_long_for_any_file_is_not_repeated_as_a_whole(inputs):
    with pytest.raises(InvalidRequest) as refused:
        inputs.resolve("é" * 3000)
    assert len(refused.value.message) < 500


@pytest.mark.parametrize(
    "uri",
    ["data:audio/wav;base64,%%%", "data:,", "data:audio/wav;base64", "data:audio/wav;base64,AAAA", "data:text/html,x"],
)
def test_a_data_uri_without_audio_is_refused_and_leaves_no_file(inputs, tmp_path, uri):
    assert "data: URI" in refused(inputs, uri)
    assert not list((tmp_path / "scratch").glob("*"))


@pytest.mark.parametrize("asked", ["NFC", "NFD"])
@pytest.mark.parametrize("form", ["{name}", "{folder}/{name}", "file://{folder}/{name}"])
def test_a_name_in_another_encoding_of_the_same_letters_is_that_file(inputs, tmp_path, asked, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[asked]
    path = write(tmp_path / "more" / unicodedata.normalize(other, "Übung") / unicodedata.normalize(other, "Café.wav"))
    top = write(tmp_path / "more" / path.name)
    folder = top.parent if "folder" not in form else path.parent
    given = form.format(name=path.name, folder=folder)
    assert inputs.resolve(unicodedata.normalize(asked, given)).path == folder / path.name


@pytest.mark.parametrize("quote", ['"{}"', "'{}'", "\u201c{}\u201d"])
@pytest.mark.parametrize(
    "name", ["my take.wav", "Screenshot 9.41\u202fAM.wav", "rock \u2013 it\u2019s.wav", "no ending"]
)
def test_a_name_may_be_quoted_and_look_the_same_only(inputs, tmp_path, quote, name):
    path = tmp_path / "more" / name
    write(path.with_name("a.wav")).rename(path)
    plain = name.replace("\u202f", " ").replace("\u2013", "-").replace("\u2019", "'")
    for given in (plain, str(path.with_name(plain)), quote.format(plain), quote.format(path)):
        assert inputs.resolve(given).path == path


def test_two_files_that_look_the_same_are_named_and_none_is_taken(inputs, music, tmp_path):
    first, second = write(music / "It\u2019s.wav"), write(tmp_path / "more" / "It\u2018s.wav")
    message = refused(inputs, "It's.wav")
    assert str(first) in message
    assert str(second) in message
    assert inputs.resolve("It\u2019s.wav").path == first


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.parametrize(
    "name", ["take.aifc", "take.snd", "take", "take 2: live.wav", "100%.wav", "a #2?.wav", "~me.wav"]
)
def test_a_bare_name_of_any_ending_is_a_file(inputs, music, name):
    path = music / name
    write(music / "x.wav").rename(path)
    for given in (name, str(path), f"file://{path}", path.as_uri(), name.replace("%", "%25").replace("#", "%23")):
        assert inputs.resolve(given).path == path


def test_only_near_names_are_proposed(inputs, music):
    write(music / "2026-11-22 lofi chill (42).wav")
    message = refused(inputs, "2026-11-22 polka.wav")
    assert "lofi" not in message
    assert "list_tracks" in message


def test_a_lookalike_outside_the_folders_is_neither_read_nor_named(inputs, music, tmp_path):
    write(tmp_path / "private" / "It\u2019s.wav")
    (music / "out").symlink_to(tmp_path / "private")
    for given in (tmp_path / "private" / "It's.wav", music / "out" / "It's.wav", music / ".." / "private" / "It's.wav"):
        assert "\u2019" not in refused(inputs, str(given))


def test_a_folder_or_a_name_that_is_too_long_is_refused_with_a_reason(inputs, music):
    (music / "album").mkdir()
    assert "a folder" in refused(inputs, str(music / "album"))
    assert "cannot be read" in refused(inputs, str(music / ("x" * 300)))


@pytest.fixture
def person(tmp_path, music):
    def find(name):
        raise NotFound(f"There is no track {name!r}.")

    (tmp_path / "here").mkdir()
    return Inputs((music,), tmp_path / "scratch", find, tmp_path / "here")


@pytest.mark.parametrize(
    "form", ["./a.wav", "a.wav", "sub/../a.wav", "../here/a.wav", "{path}", "file://{path}", "~/here/a.wav"]
)
def test_a_person_may_give_any_file_and_relative_paths(person, tmp_path, monkeypatch, form):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = write(tmp_path / "here" / "a.wav")
    (tmp_path / "here" / "sub").mkdir()
    found = person.resolve(form.format(path=path))
    assert found.path == path.resolve()


def test_a_person_is_told_about_paths_and_commands(person, music, tmp_path):
    write(tmp_path / "here" / "a take.wav")
    assert "a take.wav" in refused(person, "./a tke.wav")
    assert "acestep-mcp tracks list" in refused(person, "sub/nothing like it.wav")
    assert person.resolve("A  Take.wav").path == tmp_path / "here" / "a take.wav"
    assert "allowed" not in refused(person, "none.wav")
    song = write(music / "song.wav")
    assert person.resolve("song.wav").path == song


def test_an_upload_is_accepted_by_the_name_it_was_given_and_no_other(inputs, tmp_path):
    path = write(tmp_path / "scratch" / "A1b2C3d4E5f6G7h8.wav")
    assert inputs.resolve("upload://A1b2C3d4E5f6G7h8.wav").path == path
    for name in (
        "upload://nosuchnosuchnosu.wav",
        "upload://../scratch/A1b2C3d4E5f6G7h8.wav",
        "upload://",
        "upload:///x",
    ):
        assert "upload" in refused(inputs, name)


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.8])
def test_a_truncated_file_is_refused(inputs, music, form, part):
    path = write(music / f"a.{form}", 20.0)
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * part)])
    assert "accepted is WAV" in refused(inputs, path.name)


@pytest.mark.parametrize("form", ["flac", "mp3", "ogg"])
def test_text_after_a_valid_start_is_refused(inputs, music, form):
    path = write(music / f"a.{form}", 20.0)
    data = path.read_bytes()
    path.write_bytes(data[:200] + b"This is not a song. " * 2000)
    assert "accepted is WAV" in refused(inputs, path.name)


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ogg", "aiff"])
def test_the_length_is_exact(inputs, music, form):
    assert inputs.resolve(str(write(music / f"a.{form}", 12.345))).seconds == 12.345


def test_the_length_of_a_flac_file_that_states_none_is_counted(inputs, music):
    path = write(music / "a.flac", 2.5)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert inputs.resolve("a.flac").seconds == 2.5


def test_resolving_does_not_decode_the_song(inputs, music, monkeypatch):
    from acestep_mcp.audio.decoder import Decoder

    monkeypatch.setattr(Decoder, "blocks", None)
    assert inputs.resolve(str(write(music / "a.mp3", 30.0))).seconds == 30.0


def test_a_song_of_more_than_ten_minutes_is_refused_with_its_length(inputs, music):
    soundfile.write(music / "long.wav", np.zeros(601 * 1000, np.int16), 1000)
    assert "600" in refused(inputs, "long.wav")


@pytest.mark.parametrize(
    "given",
    ["https://[bad", "http://[::1", "file:///%00", "a\0b.wav", "/a\0b.wav", "~nosuchuser/x.wav", "file://[", ""],
)
def test_unparsable_input_is_refused(inputs, given):
    assert refused(inputs, given)


def test_old_uploads_are_removed_unless_an_open_job_needs_them(inputs, tmp_path):
    needed, old, _ = (write(tmp_path / "scratch" / f"{name}.wav") for name in ("needed", "old", "fresh"))
    for path in (needed, old):
        os.utime(path, (0, 0))
    inputs.prune({str(needed)})
    assert sorted(path.name for path in (tmp_path / "scratch").iterdir()) == ["fresh.wav", "needed.wav"]


@pytest.mark.parametrize("given", ["my song. " * 5_000, "https://host.example/" + "a" * 9_000])
def test_an_address_that_is_too_long_is_refused_with_its_length_and_not_repeated(inputs, given):
    message = refused(inputs, given)
    assert f"has {len(given.strip())} characters, and an address or a path has at most 8192" in message
    assert len(message) < 600

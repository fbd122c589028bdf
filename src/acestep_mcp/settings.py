"""Every setting in one class, the only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.model_options import AbsolutePath, ModelOptions
from acestep_mcp.api.text import decode_text, shown

_FILE = "config.toml"
_UNFILLED = re.compile(r"\s*\$\{[^}]*\}\s*")
"""What a host passes on when its user left an optional value out, such as `${user_config.fal_key}`."""


def _config_file() -> Path:
    import platformdirs  # 4 ms, and only settings need it

    return Path(platformdirs.user_config_dir("acestep-mcp", appauthor=False)) / "config.toml"


def _default_music_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_music_dir()) / "acestep"


def _default_data_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("acestep-mcp", appauthor=False))


class Settings(ModelOptions, BaseSettings):
    """Read from `ACESTEP_*` (and `FAL_KEY`), then `config.toml`, then these defaults.

    An empty string, or a literal `${user_config.x}` that a host failed to replace, means unset. Invalid values never stop
    the program: they are listed in `problems`, and the default is used. The
    options of a model on this machine are the fields of `ModelOptions`.
    """

    model_config = SettingsConfigDict(
        env_prefix="ACESTEP_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        validate_default=False,
        enable_decoding=False,  # lists are text with separators, not JSON
    )

    music_dir: AbsolutePath = Field(default_factory=_default_music_dir)
    """Folder for finished songs."""
    data_dir: AbsolutePath = Field(default_factory=_default_data_dir)
    """Folder of the job database."""
    allowed_dirs: tuple[AbsolutePath, ...] = ()
    """Further folders that `audio_url` may read from and exports may be written to, separated like PATH."""
    trash_days: int = Field(30, ge=0, le=36500)
    """Days after which deleted songs are removed for good; 0 keeps them."""
    format: Literal["wav", "flac", "mp3", "ogg"] = "wav"
    """Format of the songs' files."""

    backend: Literal["auto", "fal", "engine", "draft"] = "auto"
    fal_key: SecretStr | None = Field(None, validation_alias=AliasChoices("FAL_KEY", "fal_key"))
    fal_model: Literal["ace-step", "ace-step-1.5"] = "ace-step"
    """The model at fal; 1.5, unverified, for `text_to_audio` and `audio_inpaint` only."""
    fal_key_id: SecretStr | None = Field(None, validation_alias=AliasChoices("FAL_KEY_ID", "fal_key_id"))
    fal_key_secret: SecretStr | None = Field(None, validation_alias=AliasChoices("FAL_KEY_SECRET", "fal_key_secret"))
    engine_url: str | None = None
    engine_key: SecretStr | None = None
    engine_keys: AbsolutePath | None = None
    """TOML file of several keys that `acestep-mcp engine` takes from its callers, in place of `engine_key`."""
    engine_jobs: SecretStr | None = None
    key_file: AbsolutePath | None = None
    """File with the key of the host in use, which overrides the keys above: see `_with_key_file`."""
    local_engine: Literal["ace-step-v1", "ace-step-v1.5", "draft"] = "ace-step-v1"
    """The engine used and started on this machine when no address is set."""
    local_idle_unload: float = Field(300, gt=0, allow_inf_nan=False)
    """Seconds without a song after which that engine frees its model's memory."""
    local_idle_exit: float = Field(1800, ge=1, allow_inf_nan=False)
    """Seconds without a request after which that engine exits."""
    voice: Literal["auto", "synth", "font"] = "auto"
    """What sings in drafts: a synthesised voice or the SoundFont's; "auto" is the first, unless the genre has an instrument sing."""
    soundfont: AbsolutePath | None = None
    """A SoundFont 2 file that plays drafts; None is the built-in one."""
    insecure: bool = False
    """Allow a key to be sent over plain http to another machine."""

    wait_seconds: float = Field(25, ge=0, le=3600)
    """Seconds a tool call waits for the song before it returns the job instead."""
    cancel: Literal["auto", "always", "never"] = "auto"
    """Whether cancelling a call cancels its job."""
    max_spend_usd: float = Field(5, ge=0)
    """Dollars that may be spent per day; 0 never pays."""
    price_per_second_usd: float | None = Field(None, ge=0)
    """Dollars per second of audio, for the estimates; overrides the host's known price."""

    priority: Literal["normal", "low"] | None = None
    """The job's priority in the queue. This and the next five are fal's own options."""
    runner_hint: str | None = Field(None, pattern=r"^[\x20-\x7e]{1,256}$")
    """Prefer a runner that has served this hint before."""
    start_timeout: float | None = Field(None, gt=1, allow_inf_nan=False)
    """Seconds within which a runner must start the job."""
    object_lifetime: int | None = Field(None, gt=0)
    """Seconds for which the host keeps the song's file."""
    no_store: bool = False
    """Ask the host to store neither the request nor the result."""
    webhook_url: str | None = Field(None, pattern=r"^https://")
    """Address that the host calls when a song is done."""

    llm_url: str | None = Field(None, pattern=r"^https?://")
    """Base address of an OpenAI-compatible chat endpoint that writes tags and lyrics for prompts; not used with fal."""
    llm_model: str | None = Field(None, max_length=200)
    llm_key: SecretStr | None = None
    asr_url: str | None = Field(None, pattern=r"^https?://")
    """Base address of an OpenAI-compatible transcription endpoint that writes down the words of finished songs."""
    asr_model: str = Field("whisper-1", max_length=200)
    asr_key: SecretStr | None = None

    token: SecretStr | None = None
    """Bearer token of `serve --http`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    """How a server logs: lines of text, or a JSON object a line."""

    _problems: tuple[str, ...] = PrivateAttr(())
    _rejected: ClassVar[frozenset[str]] = frozenset()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the given settings, one sentence each."""
        return self._problems

    @property
    def bearer(self) -> str | None:
        """The token of `serve --http`, without surrounding white space."""
        return (self.token.get_secret_value().strip() or None) if self.token else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of all keys, which no log may contain."""
        given = [getattr(self, name) for name in type(self).model_fields]
        return tuple(value.get_secret_value().strip() for value in given if isinstance(value, SecretStr))

    @property
    def database(self) -> Path:
        return self.data_dir / "acestep.sqlite3"

    @property
    def key(self) -> str | None:
        """The fal key for the Authorization header, without surrounding white space."""
        if self.fal_key:
            return self.fal_key.get_secret_value().strip() or None
        if self.fal_key_id and self.fal_key_secret:
            return f"{self.fal_key_id.get_secret_value().strip()}:{self.fal_key_secret.get_secret_value().strip()}"
        return None

    @field_validator("allowed_dirs", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        parts = value.split(os.pathsep) if isinstance(value, str) else value
        return tuple(p for p in parts if not _is_unset(p)) if isinstance(parts, list | tuple) else parts

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources = [env_settings]
        if _FILE not in cls._rejected:
            sources.append(_ConfigFile(settings_cls, toml_file=_config_file()))
        return init_settings, *(_Filtered(settings_cls, source, cls._rejected) for source in sources)


class _ConfigFile(TomlConfigSettingsSource):
    """The file as editors save it: with a byte order mark or without."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        import tomllib

        return tomllib.loads(decode_text(file_path.read_bytes()))


class _Filtered(PydanticBaseSettingsSource):
    """A settings source without values that mean unset or that were rejected before."""

    def __init__(
        self, settings_cls: type[BaseSettings], source: PydanticBaseSettingsSource, rejected: frozenset[str]
    ) -> None:
        super().__init__(settings_cls)
        self._source = source
        self._rejected = rejected

    def get_field_value(self, field: Any, field_name: str) -> Any:
        return self._source.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        given = {key.lower(): value for key, value in self._source().items() if key.lower() not in self._rejected}
        return {k: v for k, v in given.items() if not _is_unset(v)}


def _is_unfilled(value: Any) -> bool:
    return isinstance(value, str | os.PathLike) and _UNFILLED.fullmatch(str(value)) is not None


def _is_unset(value: Any) -> bool:
    return _is_unfilled(value) or (isinstance(value, str) and not value.strip())


def _problem(error: Any, given: Mapping[str, Any]) -> str:
    """One invalid setting in a sentence, with the file and the value where it is from the file.

    Values that are secrets, or addresses that may hold one, are left out.
    """
    name = str(error["loc"][0])
    key = name.lower()
    setting = name if name.isupper() else f"ACESTEP_{key.upper()}"
    field = Settings.model_fields[key]
    is_from_file = key not in given and setting not in os.environ and setting.lower() not in os.environ
    where = f"{key} in {_config_file()} ({setting})" if is_from_file else setting
    is_secret = "SecretStr" in str(field.annotation) or key.endswith("_url")
    value = "" if is_secret or not is_from_file else f" (got {shown(error['input'])})"
    return f"{where} is invalid and is ignored: {error['msg'].removeprefix('Value error, ')}{value}."


def load(**given: Any) -> Settings:
    """Read the settings; invalid ones are replaced by their defaults and listed in `problems`.

    `given` (from the command line) overrides the environment and the file.
    """
    given = {k: v for k, v in given.items() if v is not None and not _is_unfilled(v)}
    problems: list[str] = []
    rejected: frozenset[str] = frozenset()
    while True:
        try:
            settings = _without(rejected)(**{k: v for k, v in given.items() if k not in rejected})
        except ValidationError as exc:
            names = {str(error["loc"][0]).lower() for error in exc.errors()}
            if names <= rejected:  # one of the defaults is invalid: reading again would not help
                raise
            problems += [_problem(error, given) for error in exc.errors(include_url=False)]
            rejected |= names
        except (OSError, ValueError, RecursionError) as exc:
            problems.append(f"{_config_file()} cannot be read and is ignored: {exc}. Fix it or move it away.")
            rejected |= {_FILE}
        else:
            return _finished(settings, problems)


@lru_cache(maxsize=64)
def _without(rejected: frozenset[str]) -> type[Settings]:
    """The settings without those that were rejected before. To make a class takes 5 ms."""
    return type("Settings", (Settings,), {"_rejected": rejected, "__module__": __name__}) if rejected else Settings


def _finished(settings: Settings, problems: list[str]) -> Settings:
    """The settings with the key from the key file and with their problems."""
    if settings.key_file is not None:
        try:
            settings = _with_key_file(settings, settings.key_file)
        except ConfigurationError as exc:
            problems.append(f"{exc.message} Until then, no key is read from it.")
    settings._problems = tuple(problems)  # noqa: SLF001 - frozen after this
    return settings


def _with_key_file(settings: Settings, file: Path) -> Settings:
    """Use the file's key for one host only: the engine if the settings choose one, otherwise fal."""
    from acestep_mcp.net import keys

    engine = settings.backend == "engine" or (settings.backend == "auto" and settings.engine_url is not None)
    key = SecretStr(keys.read(file))
    return settings.model_copy(update={"engine_key" if engine else "fal_key": key})

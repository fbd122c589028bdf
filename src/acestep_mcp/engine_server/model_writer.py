"""Tags and lyrics for prompts, written by the language model that the user chose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.options import Writer
from acestep_mcp.net import keys
from acestep_mcp.net.chat import Chat
from acestep_mcp.songwriter.song_text import SongText


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The settings ACESTEP_LLM_URL, _MODEL and _KEY, and ACESTEP_INSECURE."""

    url: str
    model: str | None
    key: SecretStr | None
    insecure: bool


def model_writer(settings: ModelSettings) -> Writer:
    """When the model fails, the built-in rules write instead, and the song's notes say why."""

    async def write(prompt: str, instrumental: bool, duration: float, seed: int) -> SongText:
        from acestep_mcp.songwriter.writer import write_with_model

        model = settings.model or "(unnamed)"
        return await write_with_model(
            partial(_ask, settings), model, prompt, instrumental=instrumental, duration=duration, seed=seed
        )

    return write


async def _ask(settings: ModelSettings, messages: list[dict[str, str]], seed: int) -> str:
    if settings.model is None:
        raise ConfigurationError("ACESTEP_LLM_URL is set, but ACESTEP_LLM_MODEL is not. Set it to the model's name.")
    key = keys.usable(settings.key.get_secret_value(), "ACESTEP_LLM_KEY") if settings.key else None
    return await Chat(settings.url, settings.model, key, settings.insecure).ask(messages, seed=seed)

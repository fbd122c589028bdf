"""Options of `acestep-mcp engine` for the model itself, and how its files come to this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v1.published import Options
    from acestep_mcp.engines.registry import Model, Offer

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


def _device(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is not None and not _DEVICE.fullmatch(given):
        raise click.BadParameter(f"{given!r} is none of auto, cuda, cuda:1, mps, cpu.")
    return given


_OPTIONS = (
    click.option(
        "--weights",
        type=click.Path(path_type=Path, file_okay=False, exists=True, resolve_path=True),
        help="The folder with the published weights. [default: found in the caches of Hugging Face]",
    ),
    click.option(
        "--vocab",
        "lyric_vocab",
        type=click.Path(path_type=Path, dir_okay=False, exists=True, resolve_path=True),
        help="The vocab.json of v1, for lyrics.",
    ),
    click.option("--device", callback=_device, help="auto, cuda, cuda:1, mps or cpu. [default: auto]"),
    click.option("--dtype", type=click.Choice(("bfloat16", "float16", "float32")), help="What it computes in."),
    click.option("--offload", is_flag=True, default=None, help="Keep on the GPU only the part that computes."),
    click.option(
        "--quantize", type=click.Choice(("int8",)), help="Large matrices in half the memory; v1, needs torchao."
    ),
    click.option(
        "--compile", is_flag=True, default=None, help="Compile the model: a slow first song, faster ones after. v1"
    ),
    click.option("--lora", metavar="FILE[:WEIGHT]", multiple=True, help="A LoRA adapter for v1. May be repeated."),
    click.option("--download", is_flag=True, help="Fetch the model's files, and do nothing else."),
)


def takes_model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def model_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that are settings; they go before the environment."""
    names = ("weights", "lyric_vocab", "device", "dtype", "offload", "quantize", "compile")
    found = {name: given[name] for name in names}
    found["lora"] = tuple(_absolute(adapter) for adapter in given["lora"]) or None
    return found


def _absolute(adapter: str) -> str:
    return str(Path(adapter).expanduser().absolute())  # a weight after the colon stays where it is


def offer_download(offer: Offer, options: Options) -> None:
    """Fetch the model's files where none are and a person sees what happens; else only say what is missing."""
    if offer.model is None or options.weights or not sys.stderr.isatty() or offer.model.lacks_packages():
        return
    if offer.obstacle(options):
        download(offer.model, options)


def download(model: Model, options: Options) -> int:
    """What is published of a model and not named by a person."""
    if missing := model.lacks_packages():
        raise ConfigurationError(f"Nothing can be fetched yet: {missing}.")
    model.download(options, _fetch, lambda line: click.echo(line, err=True))
    if options.weights is not None:
        click.echo(f"The weights are those you named: {options.weights}. Nothing of them was fetched.", err=True)
    return 0


def _fetch(url: str, path: Path) -> None:
    import anyio

    from acestep_mcp.assembly import outbound_http

    fetch, _ = outbound_http(webhooks=False)
    anyio.run(fetch, url, path)

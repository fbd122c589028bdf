"""Options of `acestep-mcp engine` for the model, and the download of its files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.model_options import Flag, ModelOptions
from acestep_mcp.cli.output import echo

if TYPE_CHECKING:
    from acestep_mcp.engines.model.options import EngineOptions
    from acestep_mcp.engines.registry import EngineSpec, ModelFiles


def takes_model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option for each field of `ModelOptions`, and `--download`."""
    options = [_option(name, field) for name, field in ModelOptions.model_fields.items()]
    options.append(click.option("--download", is_flag=True, help="Fetch the model's files, and do nothing else."))
    for option in reversed(options):
        command = option(command)
    return command


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    flag = next((mark for mark in field.metadata if isinstance(mark, Flag)), Flag())
    shown = name.replace("_", "-")
    names = flag.name or (f"--{shown}/--no-{shown}" if flag.negated else f"--{shown}")
    return click.option(names, name, help=field.description, metavar=flag.metavar, **_kind(field, flag))


def _kind(field: FieldInfo, flag: Flag) -> dict[str, Any]:
    """What click needs to know of the field's type. An option that is not given is None, whatever the default."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    kind = kinds[0] if NoneType in get_args(field.annotation) else field.annotation
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if kind is bool:
        return {"is_flag": True, "default": None}
    if kind is Path:
        path = click.Path(path_type=Path, file_okay=not flag.folder, dir_okay=flag.folder, exists=True)
        return {"type": path, "callback": _absolute}
    if get_origin(kind) is Literal:
        return {"type": click.Choice(get_args(kind))}
    if kind in (int, float):
        low, high = (next(getattr(mark, end) for mark in field.metadata if hasattr(mark, end)) for end in ("ge", "le"))
        return {"type": click.IntRange(low, high) if kind is int else click.FloatRange(low, high)}
    if get_origin(kind) is tuple:
        return {"multiple": True, "callback": _absolute_files}
    return {"callback": _check_pattern} if field.examples else {}


def _check_pattern(_: click.Context, param: click.Parameter, given: str | None) -> str | None:
    field = ModelOptions.model_fields[param.name or ""]
    pattern = next(mark.pattern for mark in field.metadata if hasattr(mark, "pattern"))
    if given is not None and not re.fullmatch(pattern, given):
        raise click.BadParameter(f"{given!r} is none of {', '.join(field.examples or ())}.")
    return given


def _absolute(_: click.Context, __: click.Parameter, given: Path | None) -> Path | None:
    """A link stays one: where it leads may change while the server runs."""
    return given.absolute() if given else None


def _absolute_files(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Relative files become absolute; a weight after the colon is not affected."""
    return tuple(str(Path(file).expanduser().absolute()) for file in given) or None


def model_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The model options on the command line, which take precedence over the environment."""
    return {name: given[name] for name in ModelOptions.model_fields}


def offer_download(spec: EngineSpec, options: EngineOptions) -> None:
    """Fetch missing model files if stderr is a terminal, where the progress is visible."""
    if spec.files is None or options.weights or not sys.stderr.isatty() or spec.files.lacks_packages():
        return
    if spec.unavailable_reason(options):
        download(spec.files, options)


def download(files: ModelFiles, options: EngineOptions) -> int:
    """Fetch the published files that the options do not name."""
    if missing := files.lacks_packages():
        raise ConfigurationError(f"Nothing can be fetched yet: {missing}.")
    files.download(options, _fetch, lambda line: echo(line, err=True))
    if options.weights is not None:
        echo(f"The weights are those you named: {options.weights}. Nothing of them was fetched.", err=True)
    return 0


def _fetch(url: str, path: Path) -> None:
    import anyio

    from acestep_mcp.assembly import outbound_http

    fetch, _ = outbound_http(webhooks=False)
    anyio.run(fetch, url, path)

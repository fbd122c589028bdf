"""Command-line options derived from the fields of a request: types, choices, bounds and descriptions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from acestep_mcp.api.requests import Request
from acestep_mcp.api.right_form import right_form
from acestep_mcp.api.schemas import input_schema
from acestep_mcp.api.text import decode_text


def _absolute(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    return file and file.absolute()  # not resolved: that would break a pipe such as /dev/fd/63


def host_options() -> list[click.Option]:
    """Options for the host that makes the songs; each sets the setting of the same name."""
    return [
        click.Option(
            ["--key-file"],
            type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
            callback=_absolute,
            help="File with the key of the host in use: your engine's if you use one, otherwise fal's. "
            "Overrides FAL_KEY and ACESTEP_ENGINE_KEY.",
        ),
        click.Option(
            ["--insecure"],
            is_flag=True,
            default=None,
            help="Allow the key to be sent over plain http to another machine. Only on a network you trust.",
        ),
        click.Option(
            ["--fal-model"],
            type=click.Choice(("ace-step", "ace-step-1.5")),
            help="The model at fal. 1.5 makes songs from tags and inpaints; it is unverified. [default: ACESTEP_FAL_MODEL]",
        ),
    ]


HOST_SETTINGS = ("key_file", "insecure", "fal_model")
"""The settings that those options set."""


def takes_host_options(command: click.Command) -> click.Command:
    """Add those options to a command, which passes them on to the settings."""
    command.params.extend(host_options())
    return command


def takes_log_format(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--log-format` to a command that serves; it overrides ACESTEP_LOG_FORMAT."""
    text = "How to log to stderr: lines of text, or one JSON object a line."
    return click.option("--log-format", type=click.Choice(("text", "json")), help=text)(command)


def request_options(request: type[Request]) -> list[click.Option]:
    """One option for each field: required ones first, then the endpoint's own, then the shared ones."""
    names = input_schema(request)["properties"]
    return [_option(name, request.model_fields[name]) for name in names]


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Only what was given on the command line; an absent field keeps the API's default, or the host's."""
    return {name: value for name, value in values.items() if value is not None}


def _option(name: str, field: FieldInfo) -> click.Option:
    flag = f"--{name.replace('_', '-')}"
    kind = _plain(field.annotation)
    return click.Option(
        [f"{flag}/--no-{flag[2:]}" if kind is bool else flag, name],
        type=LYRICS if name.endswith("lyrics") else _click_type(kind, field),
        required=field.is_required(),
        help=_help(name, field),
    )


def _plain(annotation: Any) -> Any:
    """The type without None, which only means that the field is absent."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(annotation) else annotation


def _click_type(kind: Any, field: FieldInfo) -> Any:
    if get_origin(kind) is Literal:
        return click.Choice([str(choice) for choice in get_args(kind)])
    bounds = {side: getattr(mark, side) for mark in field.metadata for side in ("ge", "le") if hasattr(mark, side)}
    if kind is int:
        return _WholeNumber(field, bounds)
    if kind is float:
        return _Number(field, bounds)
    return {str: click.STRING, bool: click.BOOL}[kind]


def _help(name: str, field: FieldInfo) -> str:
    text = (field.description or "").replace("get_track", "acestep-mcp tracks show")
    if name.endswith("lyrics"):
        text += r" @FILE reads them from a file, @- from stdin; \n is a line break."
    if not field.is_required() and field.default not in (None, ""):
        text += f" [default: {str(field.default).lower() if isinstance(field.default, bool) else field.default}]"
    return text


class _Lyrics(click.ParamType[str]):
    r"""Lyrics as typed (with `\n` for a line break, for shells without multi-line arguments), from `@FILE`, or from `@-`."""

    name = "text|@file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.startswith("@"):
            return text.replace("\\n", "\n")
        try:
            content = _from_stdin() if text == "@-" else decode_text(Path(text[1:]).expanduser().read_bytes())
            return "\n".join(content.splitlines())
        except (OSError, RuntimeError) as exc:
            self.fail(f"{text[1:]} cannot be read: {getattr(exc, 'strerror', None) or exc}.", param, ctx)
        except UnicodeDecodeError:
            self.fail(f"{text[1:]} is not UTF-8 text. Save it as UTF-8.", param, ctx)


LYRICS = _Lyrics()
"""The type of an option for lyrics."""


class _WholeNumber(click.IntRange):
    """Says the right form of a value that is no such number."""

    def __init__(self, field: FieldInfo, bounds: dict[str, Any]) -> None:
        super().__init__(bounds.get("ge"), bounds.get("le"))
        self._field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        with _right_form_of(value, self._field, param):
            return super().convert(value, param, ctx)


class _Number(click.FloatRange):
    """As `_WholeNumber`, also with a fraction."""

    def __init__(self, field: FieldInfo, bounds: dict[str, Any]) -> None:
        super().__init__(bounds.get("ge"), bounds.get("le"))
        self._field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        with _right_form_of(value, self._field, param):
            return super().convert(value, param, ctx)


@contextmanager
def _right_form_of(value: Any, field: FieldInfo, param: click.Parameter | None) -> Iterator[None]:
    try:
        yield
    except click.BadParameter as exc:
        name = (param.name if param else None) or ""
        form = right_form(name, field.annotation, _number(value))
        if not form:
            raise
        advice = f"{form[0].upper()}{form[1:]}."
        raise click.BadParameter(f"{exc.message} {advice}", ctx=exc.ctx, param=exc.param) from exc


def _number(value: Any) -> Any:
    """A number out of range needs no other form: the message has the bounds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    return int(number) if number.is_integer() else number


def _from_stdin() -> str:
    """A pipe holds a file's bytes, or what another program wrote in the console's encoding."""
    content = sys.stdin.buffer.read()
    try:
        return decode_text(content)
    except UnicodeDecodeError:
        return content.decode(sys.stdin.encoding)

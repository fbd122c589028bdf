"""Validation of arguments from a model, a person or the wire, with errors that name every wrong field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import PydanticUseDefault

from acestep_mcp.api.argument_names import meant
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.right_form import right_form
from acestep_mcp.api.text import DEEPEST, is_storable, shown

Model = TypeVar("Model", bound=BaseModel)

LONGEST_TEXT = 4096
LONGEST = {
    "tags": 5_000,
    "original_tags": 5_000,
    "lyrics": 20_000,
    "original_lyrics": 20_000,
    "prompt": 10_000,
    "audio_url": 200 << 20,
    "changes": 200 << 20,
}
"""The most characters of each argument's texts, LONGEST_TEXT for all others. The published schemas have no such bounds.

Lyrics of 240 s have about 4,000 characters. A prompt may hold complete lyrics. A data URI of 64 MiB may have each byte
written as %XX. `changes` of a song are checked again as the fields that they are.
"""
MOST_ERRORS = 20
_SHOWN = 60


def parse(model: type[Model], arguments: Mapping[str, Any]) -> Model:
    """Validate arguments against a model that forbids extras; null means absent.

    Raises InvalidRequest naming every wrong field (at most 20), its value and its bounds. Nothing else reads a text that
    is too long.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    unusable = {key: error for key, value in given.items() if (error := _unusable(key, value))}
    errors = [*unusable.values()]
    try:
        valid = model.model_validate({key: value for key, value in given.items() if key not in unusable})
    except ValidationError as exc:
        found = [error for error in exc.errors(include_url=False) if not unusable.keys() & set(error["loc"][:1])]
        errors += [_field_error(model, error) for error in _one_of_each_field_first(found)[:MOST_ERRORS]]
    else:
        if not errors:
            return valid
    raise InvalidRequest.of(*errors[:MOST_ERRORS])


def _one_of_each_field_first(errors: list[Any]) -> list[Any]:
    """The first error of each field, then the second of each, ...: the items of a long list hide no other field."""
    before: Counter[Any] = Counter()
    places = []
    for error in errors:
        field = next(iter(error["loc"]), None)
        places.append(before[field])
        before[field] += 1
    return [error for _, error in sorted(zip(places, errors, strict=True), key=itemgetter(0))]


def _unusable(name: str, value: Any) -> FieldError | None:
    """What is wrong with a field that must not be read, stored or sent on, whatever its type should be."""
    if len(name) > LONGEST_TEXT:
        return FieldError(_short(name), "is not an argument", "extra_forbidden")
    most = LONGEST.get(name, LONGEST_TEXT)
    for text in _texts(value):
        if len(text) > most:
            message = f"has {len(text)} characters, and at most {most} are read (got {shown(text)}); shorten it"
            return FieldError(_short(name), message, "string_too_long", text[:_SHOWN])
    if not is_storable(name) or (isinstance(value, str) and not is_storable(value)):
        message = "contains half of a surrogate pair; send valid Unicode text"
    elif isinstance(value, dict | list) and not is_storable(value):
        message = (
            f"holds half of a surrogate pair, NaN or Infinity, or is nested more than {DEEPEST} deep; send plain JSON"
        )
    else:
        return None
    return FieldError(_short(name), message, value=shown(value))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value; the keys of objects too."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(text):
                yield text
            case dict(inner):
                waiting += [*inner, *inner.values()]
            case list(inner):
                waiting += inner


def _short(name: str) -> str:
    """The name of a field for a message, without what UTF-8 cannot encode and what a terminal would obey."""
    name = "".join(letter if letter.isprintable() else "?" for letter in name[: _SHOWN + 1])
    return name if len(name) <= _SHOWN else name[: _SHOWN - 3] + "..."


def _field_error(model: type[BaseModel], error: Any) -> FieldError:
    """A pydantic error as a FieldError; the shown value is shortened."""
    name = _short(".".join(_short(str(part)) for part in error["loc"])) or "arguments"
    value = error.get("input")
    model, annotation = _expected(model, error["loc"])
    match error["type"]:
        case "missing":
            return FieldError(name, "is required", "missing")
        case "extra_forbidden":
            return FieldError(
                name, f"is not an argument; {_advice(str(error['loc'][-1]), model)}", "extra_forbidden", value
            )
        case "too_short" | "too_long" as kind:
            ctx = error["ctx"]
            bound = f"{ctx['min_length']} or more" if kind == "too_short" else f"{ctx['max_length']} at most"
            return FieldError(name, f"takes {bound} (got {len(value)})", kind, value)
    form = right_form(name, annotation, value)
    problem = error["msg"].removeprefix("Value error, ").replace("dictionary", "object")
    message = f"{problem[:1].lower()}{problem[1:]} (got {shown(value)})"
    return FieldError(name, f"{message}; {form}" if form else message, error["type"], value)


def _advice(name: str, model: type[BaseModel]) -> str:
    """What to do with an argument that there is not."""
    names = list(dict.fromkeys([*model.__annotations__, *model.model_fields]))  # its own first, then shared ones
    if not names:
        return "leave it out; there are no arguments"
    right = meant(name, names)
    inside = "changes" if "changes" in names and right not in (*names[:1], "takes") else None
    advice = f"send it as {right}" if right else "leave it out"
    return f"the arguments are {', '.join(names)}; {f'send it inside {inside}' if inside else advice}"


def _expected(model: type[BaseModel], place: Sequence[str | int]) -> tuple[type[BaseModel], Any]:
    """The model that the last name of `place` belongs to, and the type that the value there should have."""
    annotation: Any = None
    for part in place:
        if isinstance(part, str):
            model = _model_in(annotation) or model
            field = model.model_fields.get(part)
            annotation = field.annotation if field else annotation
        else:
            annotation = next(iter(get_args(annotation)), None)
    return model, annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    found = (
        kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, BaseModel)
    )
    return next(found, None)


class Lenient(BaseModel):
    """A model of foreign data: a field of the wrong type counts as absent and gets its default."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _invalid_is_absent(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticUseDefault from None

"""Validation of arguments from a model, a person or the wire, with errors that name every wrong field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import PydanticUseDefault

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.right_form import right_form

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], arguments: Mapping[str, Any]) -> Model:
    """Validate arguments against a model that forbids extras; null means absent.

    Raises InvalidRequest naming every wrong field, its value and its bounds.
    """
    try:
        return model.model_validate({key: value for key, value in arguments.items() if value is not None})
    except ValidationError as exc:
        raise InvalidRequest.of(*(_field_error(model, error) for error in exc.errors(include_url=False))) from exc


def _field_error(model: type[BaseModel], error: Any) -> FieldError:
    """A pydantic error as a FieldError; the shown value is shortened."""
    name = ".".join(str(part) for part in error["loc"]) or "arguments"
    value = error.get("input")
    match error["type"]:
        case "missing":
            return FieldError(name, "is required", "missing")
        case "extra_forbidden":
            known = ", ".join(model.model_fields)
            advice = f"the arguments are {known}" if known else "leave it out; there are no arguments"
            return FieldError(name, f"is not an argument; {advice}", "extra_forbidden", value)
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    field = model.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    form = right_form(name, field, value)
    problem = error["msg"].removeprefix("Value error, ")
    message = f"{problem[:1].lower()}{problem[1:]} (got {shown})"
    return FieldError(name, f"{message}; {form}" if form else message, error["type"], value)


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

"""Arguments for the tools, made from their published schemas: right ones, and hostile ones."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

KEPT = "kept"
"""The id of a song that is there."""
MEGABYTE = 2**20

_ODD_TEXTS = (
    "", " ", "\0", "a\0b", "\ud83d", "half \udc00", "\u202eabc", "\x1b[31m", "\ufeff", "ü" * 300, "x" * MEGABYTE,
    "[" * 100_000, "{" * 5000, "%s%n", "'; DROP TABLE jobs; --", "../../etc/passwd", "/etc/passwd", "/dev/zero", "/proc/self/mem",
    "~root", "a" * 300 + ".wav", "CON", "C:\\Windows\\win.ini", "\\\\host\\share\\a.wav", "file:///etc/passwd", "file://host/a",
    "http://127.0.0.1:9/a.wav", "http://[::1", "https://xn--/x", "http://a:99999999/", "ftp://a/b", "javascript:alert(1)",
    "acestep://tracks/", "acestep://tracks/../../x", f"acestep://tracks/{KEPT}", KEPT, f"{KEPT} ü.wav", "upload://" + "a" * 20,
    "upload://../../x", "data:", "data:,", "data:;base64,====", "data:audio/wav;base64," + "A" * MEGABYTE,
    "data:audio/wav;base64," + base64.b64encode(b"RIFF\xff\xff\xff\xffWAVEfmt ").decode(), "1e999", "NaN", "-1", "true", "null",
    "hold", "fail", "refuse",
)  # fmt: skip
_ODD_NUMBERS = (
    0, -0.0, -1, 1, 2**31, 2**32, 2**63, -(2**63), 2**64, 10**400, 0.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"),
    float("-inf"), 4.999999999, 240.0000001,
)  # fmt: skip
_ODD_NAMES = (
    "", "self", "cls", "__class__", "__proto__", "model_config", "args", "kwargs", "context", "tags ", "TAGS", "täg", "\0", "\ud83d",
    "x" * MEGABYTE, "track_id", "seed", "$ref",
)  # fmt: skip


class Arguments(dict[str, Any]):
    """Arguments that are shown shortened."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name[:60]!r}: {_shown(value)}' for name, value in self.items())}}}"


def _shown(value: Any) -> str:
    try:
        text = repr(value[:99] if isinstance(value, str) else value)
    except (RecursionError, ValueError):
        return f"<{type(value).__name__}>"
    return text if len(text) <= 150 else f"{text[:100]}... ({len(text)})"


def nested(depth: int, *, is_list: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if is_list else {"a": value}
    return value


texts = st.one_of(st.sampled_from(_ODD_TEXTS), st.text(st.characters(codec=None), max_size=40))
numbers = st.one_of(st.sampled_from(_ODD_NUMBERS), st.integers(), st.floats())
plain = st.one_of(st.none(), st.booleans(), numbers, texts)
deep = st.builds(nested, st.sampled_from([5, 60, 150, 5000]), is_list=st.booleans())
hostile = st.one_of(
    plain,
    deep,
    st.lists(plain, max_size=4),
    st.dictionaries(st.sampled_from(_ODD_NAMES), plain, max_size=3),
    st.just([KEPT] * 5000),
)
names = st.one_of(st.sampled_from(_ODD_NAMES), st.text(st.characters(codec=None), max_size=20))


def right(schema: dict[str, Any], name: str = "") -> SearchStrategy[Any]:
    """Values that a schema of `tools/list` allows, few of them large."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            ours = st.sampled_from([KEPT, f"acestep://tracks/{KEPT}", "verse", "lofi, piano", "[verse]\nla", "a song"])
            fit = st.text(min_size=schema.get("minLength", 0), max_size=min(40, schema.get("maxLength", 40)))
            return st.one_of(ours, fit)
        case "integer":
            return st.integers(schema.get("minimum", -(2**40)), schema.get("maximum", 2**40))
        case "number":
            return st.floats(schema.get("minimum", -1e6), schema.get("maximum", 1e6), allow_nan=False)
        case "boolean":
            return st.booleans()
        case "array":
            many = {"min_size": schema.get("minItems", 0), "max_size": schema.get("maxItems", 4)}
            return st.lists(right(schema.get("items", {})), **many)
        case "object":
            return _objects(schema)
    return hostile


def _objects(schema: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    properties = {name: right(part, name) for name, part in schema.get("properties", {}).items()}
    required = {name: properties.pop(name) for name in schema.get("required", ())}
    if not properties and not required:
        return st.dictionaries(st.sampled_from(["tags", "duration", "seed", *_ODD_NAMES]), plain, max_size=3)
    return st.fixed_dictionaries(required, optional=properties)


@st.composite
def arguments(draw: st.DrawFn, schema: dict[str, Any]) -> Arguments:
    """Arguments that are right, or of which some are hostile, missing or unknown."""
    given = Arguments(draw(_objects(schema)) if schema.get("properties") else {})
    known = list(schema.get("properties", {}))
    for _ in range(draw(st.integers(0, 3))):
        if known and draw(st.integers(0, 3)):
            given[draw(st.sampled_from(known))] = draw(hostile)
        elif given and draw(st.booleans()):
            given.pop(draw(st.sampled_from(sorted(given))), None)
        else:
            given[draw(names)] = draw(plain)
    return given

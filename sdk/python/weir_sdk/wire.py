"""JSON: reads it into Python's own values, and writes it without spaces and with ready-made JSON inserted unchanged."""

import json
from json.encoder import encode_basestring
from typing import Any


class Raw(str):
    """The text of a JSON value that is written unchanged: a tool's schema, an extension."""


def read(text: str) -> Any:
    """The value of a JSON text; raises ValueError if it is not JSON."""
    return json.loads(text)


def write(value: Any) -> str:
    """Renders JSON text. Members of an object whose value is None are left out; `Raw("null")` writes null."""
    out: list[str] = []
    _write(value, out.append)
    return "".join(out)


def _write(value: Any, put: Any) -> None:
    kind = type(value)
    if kind is str:
        put(encode_basestring(value))
    elif kind is Raw:
        put(value)
    elif kind is dict:
        separator = "{"
        for key, item in value.items():
            if item is None:
                continue
            put(separator)
            put(encode_basestring(key))
            put(":")
            _write(item, put)
            separator = ","
        put("{}" if separator == "{" else "}")
    elif kind is list or kind is tuple:
        separator = "["
        for item in value:
            put(separator)
            _write(item, put)
            separator = ","
        put("[]" if separator == "[" else "]")
    else:
        put(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def members(text: str) -> dict:
    """The members of a JSON object as `Raw` values; empty if it is not an object."""
    try:
        value = read(text)
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: Raw(whole(item)) for key, item in value.items()}


def whole(value: Any) -> str:
    """Renders a value that was read as JSON text, including nulls."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def object_of(value: Any) -> dict:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """A token count, in any spelling; None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value >= 0 else None

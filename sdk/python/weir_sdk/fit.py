"""Converts values to fit the contract, by the types that `componentize-py` generates.

A value of the wrong type would trap after the author's function has returned, where no `try` catches it. So all
results pass through here: numbers become text where text is needed, counts are limited to 32 bits, None becomes an
empty list, half of a surrogate pair becomes U+FFFD. A value that cannot be converted is a TypeError that names the
place.

The plans are made when the component is built, not when it runs.
"""

import dataclasses
import enum
import json
import typing
from typing import Any, Callable

Fit = Callable[[Any], Any]

_PLANS: dict[Any, Fit] = {}
# Fields of 16 bits; all other whole numbers of the contract have 32.
_NARROW = {"status": 0xFFFF}


def plan(hint: Any) -> Fit:
    """The function that converts a value to a type."""
    if hint not in _PLANS:
        # Stored first, so that a type may refer to itself.
        _PLANS[hint] = lambda value: _PLANS[hint](value)
        _PLANS[hint] = _make(hint)
    return _PLANS[hint]


def _make(hint: Any) -> Fit:
    simple = {str: text, int: whole, float: number, bool: bool, bytes: bytes, type(None): lambda value: None}
    if hint in simple:
        return simple[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return _list(plan(args[0]))
    if origin is typing.Union:
        return _optional(args) if type(None) in args else _variant(args)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum(hint)
    if dataclasses.is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"no way to fit {hint!r}")


def text(value: Any) -> str:
    """Text, without halves of surrogate pairs."""
    if type(value) is not str:
        value = _as_text(value)
    if value.isascii():
        return value
    try:
        value.encode()
        return value
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (dict, list, tuple, bool)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return str(value)
    raise TypeError(f"text is due, this is {type(value).__name__}")


def whole(value: Any, limit: int = 0xFFFFFFFF) -> int:
    """A whole number from 0 to the limit."""
    if type(value) is int and 0 <= value <= limit:
        return value
    if value is None:
        return 0
    value = float(value)
    if value != value:
        return 0
    return int(min(max(value, 0), limit))


def number(value: Any) -> float:
    """A number."""
    return 0.0 if value is None else float(value)


def _list(item: Fit) -> Fit:
    def fit(values: Any) -> list:
        if values is None:
            return []
        if isinstance(values, (str, bytes, dict)):
            raise TypeError(f"a list is due, this is {type(values).__name__}")
        return [item(value) for value in values]

    return fit


def _optional(args: tuple) -> Fit:
    rest = [arg for arg in args if arg is not type(None)]
    inner = plan(rest[0]) if len(rest) == 1 else _variant(tuple(rest))
    return lambda value: None if value is None else inner(value)


def _variant(cases: tuple) -> Fit:
    plans = {case: plan(case) for case in cases}
    names = ", ".join(case.__name__ for case in cases)

    def fit(value: Any) -> Any:
        known = plans.get(type(value))
        if known is None:
            raise TypeError(f"one of {names} is due, this is {type(value).__name__}")
        return known(value)

    return fit


def _enum(kind: type[enum.Enum]) -> Fit:
    by_name = {member.name.lower().replace("_", "-"): member for member in kind}

    def fit(value: Any) -> enum.Enum:
        if isinstance(value, kind):
            return value
        if value in by_name:
            return by_name[value]
        raise TypeError(f"{value!r} is no {kind.__name__}")

    return fit


def _record(kind: type) -> Fit:
    hints = typing.get_type_hints(kind)
    plans = [(field.name, _field(field.name, hints[field.name])) for field in dataclasses.fields(kind)]

    def fit(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"{kind.__name__} is due, this is {type(value).__name__}")
        for name, fitting in plans:
            had = getattr(value, name)
            try:
                fits = fitting(had)
            except (TypeError, ValueError) as error:
                raise TypeError(f"{kind.__name__}.{name}: {error}") from None
            if fits is not had:
                setattr(value, name, fits)
        return value

    return fit


def _field(name: str, hint: Any) -> Fit:
    limit = _NARROW.get(name)
    if limit is None:
        return plan(hint)
    if hint is int:
        return lambda value: whole(value, limit)
    return lambda value: None if value is None else whole(value, limit)

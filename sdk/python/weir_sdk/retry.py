"""Parses when a provider may be called again."""

import math
from typing import Iterable, Optional

from wit_world.imports import types as t

from .model import header

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def after_ms(headers: Iterable[t.Header], now_ms: float) -> Optional[int]:
    """The wait that an answer's headers ask for: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    headers = list(headers)
    wait = _number(header(headers, "retry-after-ms"))
    if wait is not None:
        return _whole(wait)
    value = header(headers, "retry-after")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return _whole(seconds * 1000)
    date = _date_ms(value)
    return None if date is None else _whole(max(date - now_ms, 0))


def _number(value: Optional[str]) -> Optional[float]:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _whole(wait: float) -> Optional[int]:
    return min(int(wait), 0xFFFFFFFF) if math.isfinite(wait) and wait >= 0 else None


def _date_ms(text: str) -> Optional[float]:
    """Parses `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that HTTP still allows servers to send."""
    try:
        day, month, year, clock, zone = text.split(",")[1].split()
        hour, minute, second = (int(part) for part in clock.split(":"))
        days = _days(int(year), _MONTHS.index(month) + 1, int(day))
    except (ValueError, IndexError):
        return None
    return (days * 86400 + hour * 3600 + minute * 60 + second) * 1000.0 if zone == "GMT" else None


def _days(year: int, month: int, day: int) -> int:
    """Days since the Unix epoch, by the civil calendar (years counted from March, so that leap days come last)."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468

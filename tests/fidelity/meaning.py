"""The content of an answer, independent of the format: the values that are compared.

Readers fill it from an official client's objects. Words for the end of an answer stay in the format's spelling; the
table `finish.toml` has their meanings.
"""

import json
from dataclasses import dataclass, field


@dataclass
class Call:
    """A tool call: the arguments as parsed JSON, or as text if they are not JSON."""

    name: str
    arguments: object
    id: str | None = None
    # A custom tool's, which are free text.
    free: bool = False

    def key(self) -> tuple:
        return (self.name, json.dumps(numbers(self.arguments), sort_keys=True, ensure_ascii=False))


@dataclass
class Candidate:
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    refusal: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str | None = None
    # Further words of a format for the end: the reason of an `incomplete` answer, a blocked prompt.
    detail: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)


@dataclass
class Usage:
    """Totals: the input including cache reads and writes, the output including reasoning. None: the answer has no
    count.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


@dataclass
class Meaning:
    candidates: list[Candidate] = field(default_factory=list)
    usage: Usage | None = None
    # Errors of form that the reader found: repeated ids, a stream that contradicts its last event.
    flaws: list[str] = field(default_factory=list)

    @property
    def calls(self) -> list[Call]:
        return [call for candidate in self.candidates for call in candidate.calls]


@dataclass
class Failure:
    """The client raised an error instead: the status (none within a stream) and the text."""

    status: int | None
    text: str
    # Whether the client could not parse the answer at all.
    unread: bool = False


def arguments(text: str | None) -> object:
    """The value of arguments that are JSON text; an empty text and a null mean no arguments."""
    if text is None or not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return {} if value is None else value


def numbers(value: object) -> object:
    """1.0 and 1 are the same JSON number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    return value


def added(*figures: int | None) -> int | None:
    """The sum of the known figures; None if there are none."""
    known = [int(figure) for figure in figures if figure is not None]
    return sum(known) if known else None

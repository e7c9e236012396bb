"""The scripted upstream's answers, in no format: the model's name selects them, the request fills in details.

Every format (`openai_format.py`, `anthropic_format.py`, ...) renders these answers, so a test may expect the same of
each.
"""

from dataclasses import dataclass, field

GREETING = 'Grüße, 世界! 👋 "quoted"\n\tand indented.'
LOOKING = "Let me look."
REASONING = "The user wants to know. I know."
SIGNATURE = "c2lnbmVkIGJ5IHRoZSB1cHN0cmVhbQ=="
CITIES = '{"city":"Paris","celsius":18}'


@dataclass
class Call:
    """A tool call; the arguments are JSON text."""

    name: str
    arguments: str


@dataclass
class Answer:
    """One turn of the model. Tokens: 20 of input besides 12 from a cache; `reasoning` is not included in `output`."""

    text: str = ""
    thinking: str | None = None
    calls: list[Call] = field(default_factory=list)
    finish: str = "stop"  # or "calls", "length", "refused"
    input: int = 20
    cached: int = 12
    output: int = 9
    reasoning: int = 0


@dataclass
class Seen:
    """The contents of a request that the script needs."""

    model: str
    tools: bool = False
    results: list[str] = field(default_factory=list)  # of the tools, if they are last in the request
    media: list[str] = field(default_factory=list)  # "image/png 68 bytes", "image https://..."
    schema: bool = False


@dataclass
class Stream:
    """An answer in pieces of a framing other than SSE; `None` at the end breaks the connection."""

    kind: str
    pieces: list[bytes | None]


class Refused(Exception):
    """The upstream's error answer."""

    def __init__(self, status: int, kind: str, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.kind, self.message, self.headers = status, kind, message, headers or {}


def need(condition, message: str):
    if not condition:
        raise Refused(400, "invalid_request", message)


# Names of models that always fail: the status, and the kinds in the two formats.
FAILURES = {
    "limited": Refused(429, "rate_limit", "slow down, please", {"retry-after": "7"}),
    "unauthorized": Refused(401, "authentication", "the key is wrong"),
    "invalid": Refused(400, "invalid_request", "temperature must be a number"),
    "overloaded": Refused(503, "overloaded", "too many at once"),
}

# Names of models whose streams end badly: without an event, or with the format's error.
BREAKING = {"breaks", "errs"}

SPEAKING = {"plain", "tools", "thinking", "media", "schema", "long", "refuses"} | BREAKING
MODELS = sorted(SPEAKING | set(FAILURES) | {"embed"})


def answer(seen: Seen) -> Answer:
    """The model's turn."""
    if seen.model in FAILURES:
        raise FAILURES[seen.model]
    if seen.model not in SPEAKING:
        raise Refused(404, "not_found", f"there is no model {seen.model!r}")
    return {
        "tools": tools,
        "thinking": thinking,
        "media": lambda seen: Answer("; ".join(seen.media)),
        "schema": lambda seen: Answer(CITIES if seen.schema else "no schema was asked for"),
        "long": lambda seen: Answer("and so on", finish="length"),
        "refuses": lambda seen: Answer("No.", finish="refused"),
    }.get(seen.model, lambda seen: Answer(GREETING))(seen)


def tools(seen: Seen) -> Answer:
    """Two calls at once; then their results."""
    if seen.results:
        return Answer(" / ".join(seen.results))
    if not seen.tools:
        raise Refused(400, "invalid_request", "there are no tools")
    paris = Call("get_weather", '{"city": "Paris", "days": 2}')
    zurich = Call("get_weather", '{"city": "Zürich \\"HB\\"", "days": 1}')
    return Answer(LOOKING, calls=[paris, zurich], finish="calls")


def thinking(seen: Seen) -> Answer:
    """Thinks first; with tools it calls one, and repeats its result."""
    answer = Answer(GREETING, thinking=REASONING, reasoning=4)
    if seen.results:
        answer.text = " / ".join(seen.results)
    elif seen.tools:
        answer.text, answer.calls, answer.finish = "", [Call("get_weather", '{"city": "Paris", "days": 1}')], "calls"
    return answer


def pieces(text: str, size: int = 5) -> list[str]:
    """A text in the pieces of a stream: cut anywhere, within words and escapes too."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def vectors(texts: list[str]) -> list[list[float]]:
    """Embeddings of three numbers: the text's index, its length, one half."""
    return [[float(at), float(len(it)), 0.5] for at, it in enumerate(texts)]

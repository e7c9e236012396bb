"""The answer that a client of a dialect should read for a recording, and its differences from the one that it reads."""

import functools
import re
from dataclasses import replace

from data import formats, table
from meaning import Call, Candidate, Failure, Meaning, Usage

# Finishes that tool calls outrank (conformance 4.3).
OUTRANKED = {"complete", "stop-sequence", "paused", None}
# The formats with custom tools, whose calls are free text.
FREE = {"openai.chat", "openai.responses"}


@functools.cache
def sense(format: str, word: str) -> str | None:
    """The meaning of a format's word for the end; a natural end if a word has several meanings."""
    names = table("finish.toml")
    strange = names["words"].get(format, {}).get(word)
    return strange or next((name for name, words in names.items() if word in words.get(format, [])), None)


def finish_words(dialect: str, name: str) -> list[str]:
    """The words that a dialect may use: the first for other formats, the rest for its own."""
    return table("finish.toml")[name][dialect]


def end(format: str, candidate: Candidate) -> str | None:
    """The meaning of a candidate's end."""
    word = candidate.finish
    if word is not None and candidate.detail is not None and format == "openai.responses":
        word = f"{word}/{candidate.detail}"
    name = sense(format, word) if word else None
    if candidate.calls and name in OUTRANKED | {"tool-calls"}:
        # A call that breaks off was cut by the limit and must not run, whatever the word says (C-11).
        return "length" if any(breaks_off(it) for it in candidate.calls) else "tool-calls"
    if candidate.refusal and name in {"complete", "content-filter", None}:
        return "refusal"
    return name or "complete"


def breaks_off(call: Call) -> bool:
    text = call.arguments
    return isinstance(text, str) and not call.free and text.lstrip().startswith(("{", "["))


def differences(
    source: str, expected: Meaning | Failure, dialect: str, received: Meaning | Failure, lane: str
) -> list[str]:
    """The differences as text; empty if there are none."""
    if isinstance(expected, Failure) or isinstance(received, Failure):
        return failures(expected, received)
    holds = formats()[dialect].holds
    found = [*received.flaws]
    pairs = list(zip(expected.candidates, received.candidates))
    if "candidates" not in holds:
        pairs = pairs[:1]
    elif len(expected.candidates) != len(received.candidates):
        found.append(f"candidates: expected {len(expected.candidates)}, received {len(received.candidates)}")
    for ours, theirs in pairs:
        found += candidate(source, ours, dialect, theirs, lane)
    return found + tokens(expected, received, holds)


def is_credential(failure: Failure) -> bool:
    """Whether the provider refused the credential. That is the gateway's error: its client gets 502, not the blame for
    its own key. A lack of permission stays one (conformance 4.6).
    """
    return failure.status == 401 or re.search(r"api.key|security token", failure.text, re.IGNORECASE) is not None


def failures(expected: Meaning | Failure, received: Meaning | Failure) -> list[str]:
    """An error must have the same kind (4.6)."""
    if type(expected) is not type(received) or received.unread:
        return [f"expected {brief(expected)}, received {brief(received)}"]
    status = 502 if is_credential(expected) else expected.status
    if status not in (None, received.status):
        return [f"status: expected {status}, received {received.status} ({received.text[:200]})"]
    return []


def candidate(source: str, expected: Candidate, dialect: str, received: Candidate, lane: str) -> list[str]:
    holds, found = formats()[dialect].holds, []

    def differ(what: str, ours, theirs):
        if ours != theirs:
            found.append(f"{what}: expected {ours!r}, received {theirs!r}")

    if "refusal" in holds and "refusal" in formats()[source].holds:
        differ("refusal", expected.refusal, received.refusal)
        differ("text", expected.text, received.text)
    else:
        # If one side has no refusals, they are text.
        differ("text", expected.text + expected.refusal, received.text + received.refusal)
    if "calls" in holds:
        expected = replace(expected, calls=[bound(call, dialect) for call in expected.calls])
        ours, theirs = [[call.key() for call in it.calls] for it in (expected, received)]
        differ("calls", whole_calls(expected.calls, received.calls) if "objects" in holds else ours, theirs)
    if "thoughts" in holds and not same_thoughts(expected.thoughts, received.thoughts):
        found.append(f"thoughts: expected {expected.thoughts!r}, received {received.thoughts!r}")
    words = [expected.finish] if lane == "relay" else ends(source, expected, dialect)
    word = received.finish
    if lane != "relay" and dialect == "openai.responses" and received.detail is not None:
        word = f"{word}/{received.detail}"
    if word not in words:
        found.append(f"finish: expected {words[0]!r}, received {word!r} ({source} has {expected.finish!r})")
    return found


def ends(source: str, expected: Candidate, dialect: str) -> list[str]:
    """The allowed words: the format's own word for the same format, else the first of the table's."""
    name = end(source, expected)
    own = expected.finish if expected.detail is None else f"{expected.finish}/{expected.detail}"
    if source == dialect and own in finish_words(dialect, name):
        return [own]
    # A refusal may be recognised by its text alone.
    return finish_words(dialect, name) if name == "refusal" else finish_words(dialect, name)[:1]


def bound(call: Call, dialect: str) -> Call:
    """Where all arguments are JSON, the text of a custom tool is the only member of an object."""
    return call if not call.free or dialect in FREE else replace(call, arguments={"input": call.arguments})


def whole_calls(expected: list[Call], received: list[Call]) -> list[tuple]:
    """The keys of calls if arguments are an object: those that are none (the answer was cut within them) are `{}`, or
    the same text if the format streams them as text.
    """
    keys = []
    for at, call in enumerate(expected):
        is_object = isinstance(call.arguments, dict)
        same = at < len(received) and received[at].arguments == call.arguments
        keys.append(call.key() if is_object or same else Call(call.name, {}).key())
    return keys


def same_thoughts(expected: list[str], received: list[str]) -> bool:
    """Whether texts are equal; if one side has several pieces and the other one text, white space between them is
    ignored.
    """
    ours, theirs = "".join(expected), "".join(received)
    if ours == theirs:
        return True
    seams = ("\n", "\n\n")
    several = [it for it in expected if it], [it for it in received if it]
    return any(gap.join(several[0]) == theirs or ours == gap.join(several[1]) for gap in seams)


def tokens(expected: Meaning, received: Meaning, holds: frozenset) -> list[str]:
    if expected.usage in (None, Usage()):
        return []
    if received.usage is None:
        return [f"usage: expected {expected.usage}, received none"]
    names = ["input", "output", *(name for name in ("cache_read", "cache_write", "reasoning") if name in holds)]
    found = []
    for name in names:
        ours, theirs = getattr(expected.usage, name), getattr(received.usage, name)
        # A count that the provider omitted may be an estimate if the dialect requires it (C-59).
        is_said = ours is not None or name not in {"input", "output"}
        if is_said and (ours or 0) != (theirs or 0):
            found.append(f"usage.{name}: expected {ours}, received {theirs}")
    return found


def brief(it: Meaning | Failure) -> str:
    return f"an error ({it.status}: {it.text[:200]})" if isinstance(it, Failure) else "an answer"

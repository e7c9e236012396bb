"""The answer that a client of a dialect should read for a recording, and its differences from the one that it reads."""

import functools
import re

from data import formats, table
from meaning import Call, Candidate, Failure, Meaning

# Finishes that tool calls outrank (conformance 4.3).
OUTRANKED = {"complete", "stop-sequence", "paused", None}


@functools.cache
def sense(format: str, word: str) -> str | None:
    """The meaning of a format's word for the end; a natural end if a word has several meanings."""
    names = table("finish.toml")
    strange = names["words"].get(format, {}).get(word)
    return strange or next((name for name, words in names.items() if word in words.get(format, [])), None)


def told(dialect: str, name: str) -> list[str]:
    """The words that a dialect may use: the first for other formats, the rest for its own."""
    return table("finish.toml")[name][dialect]


def end(format: str, candidate: Candidate) -> str | None:
    """The meaning of a candidate's end."""
    word = candidate.finish
    if word is not None and candidate.detail is not None and format == "openai.responses":
        word = f"{word}/{candidate.detail}"
    name = sense(format, word) if word else None
    if candidate.calls and name in OUTRANKED:
        return "tool-calls"
    if candidate.refusal and name in {"complete", "content-filter", None}:
        return "refusal"
    return name or "complete"


def differences(source: str, wanted: Meaning | Failure, dialect: str, heard: Meaning | Failure, lane: str) -> list[str]:
    """The differences as text; empty if there are none."""
    if isinstance(wanted, Failure) or isinstance(heard, Failure):
        return failures(wanted, heard)
    holds = formats()[dialect].holds
    found = [*heard.flaws]
    pairs = list(zip(wanted.candidates, heard.candidates))
    if "candidates" not in holds:
        pairs = pairs[:1]
    elif len(wanted.candidates) != len(heard.candidates):
        found.append(f"candidates: wanted {len(wanted.candidates)}, heard {len(heard.candidates)}")
    for ours, theirs in pairs:
        found += candidate(source, ours, dialect, theirs, lane)
    return found + tokens(wanted, heard, holds)


def is_credential(failure: Failure) -> bool:
    """Whether the provider refused the credential. That is the gateway's error: its client gets 502, not the blame for
    its own key.
    """
    return failure.status in {401, 403} or re.search(r"api.key", failure.text, re.IGNORECASE) is not None


def failures(wanted: Meaning | Failure, heard: Meaning | Failure) -> list[str]:
    """An error must have the same kind (4.6)."""
    if type(wanted) is not type(heard) or heard.unread:
        return [f"wanted {brief(wanted)}, heard {brief(heard)}"]
    status = 502 if is_credential(wanted) else wanted.status
    if status not in (None, heard.status):
        return [f"status: wanted {status}, heard {heard.status} ({heard.text[:200]})"]
    return []


def candidate(source: str, wanted: Candidate, dialect: str, heard: Candidate, lane: str) -> list[str]:
    holds, found = formats()[dialect].holds, []

    def differ(what: str, ours, theirs):
        if ours != theirs:
            found.append(f"{what}: wanted {ours!r}, heard {theirs!r}")

    if "refusal" in holds and "refusal" in formats()[source].holds:
        differ("refusal", wanted.refusal, heard.refusal)
        differ("text", wanted.text, heard.text)
    else:
        # If one side has no refusals, they are text.
        differ("text", wanted.text + wanted.refusal, heard.text + heard.refusal)
    if "calls" in holds:
        ours, theirs = [[call.key() for call in it.calls] for it in (wanted, heard)]
        differ("calls", whole_calls(wanted.calls, heard.calls) if "objects" in holds else ours, theirs)
    if "thoughts" in holds and not same_thoughts(wanted.thoughts, heard.thoughts):
        found.append(f"thoughts: wanted {wanted.thoughts!r}, heard {heard.thoughts!r}")
    words = [wanted.finish] if lane == "relay" else ends(source, wanted, dialect)
    word = heard.finish
    if lane != "relay" and dialect == "openai.responses" and heard.detail is not None:
        word = f"{word}/{heard.detail}"
    if word not in words:
        found.append(f"finish: wanted {words[0]!r}, heard {word!r} ({source} said {wanted.finish!r})")
    return found


def ends(source: str, wanted: Candidate, dialect: str) -> list[str]:
    """The allowed words: the format's own word for the same format, else the first of the table's."""
    name = end(source, wanted)
    own = wanted.finish if wanted.detail is None else f"{wanted.finish}/{wanted.detail}"
    if source == dialect and own in told(dialect, name):
        return [own]
    # A refusal may be recognised by its text alone.
    return told(dialect, name) if name == "refusal" else told(dialect, name)[:1]


def whole_calls(wanted: list[Call], heard: list[Call]) -> list[tuple]:
    """The keys of calls if arguments are an object: those that are none (the answer was cut within them) are `{}`, or
    the same text if the format streams them as text.
    """
    keys = []
    for at, call in enumerate(wanted):
        is_object = isinstance(call.arguments, dict)
        same = at < len(heard) and heard[at].arguments == call.arguments
        keys.append(call.key() if is_object or same else Call(call.name, {}).key())
    return keys


def same_thoughts(wanted: list[str], heard: list[str]) -> bool:
    """Whether texts are equal; if one side has several pieces and the other one text, white space between them is
    ignored.
    """
    ours, theirs = "".join(wanted), "".join(heard)
    if ours == theirs:
        return True
    seams = ("\n", "\n\n")
    several = [it for it in wanted if it], [it for it in heard if it]
    return any(gap.join(several[0]) == theirs or ours == gap.join(several[1]) for gap in seams)


def tokens(wanted: Meaning, heard: Meaning, holds: frozenset) -> list[str]:
    if wanted.usage is None:
        return []
    if heard.usage is None:
        return [f"usage: wanted {wanted.usage}, heard none"]
    names = ["input", "output", *(name for name in ("cache_read", "cache_write", "reasoning") if name in holds)]
    found = []
    for name in names:
        ours, theirs = getattr(wanted.usage, name), getattr(heard.usage, name)
        # A count that the provider omitted may be an estimate if the dialect requires it (C-59).
        is_said = ours is not None or name not in {"input", "output"}
        if is_said and (ours or 0) != (theirs or 0):
            found.append(f"usage.{name}: wanted {ours}, heard {theirs}")
    return found


def brief(it: Meaning | Failure) -> str:
    return f"an error ({it.status}: {it.text[:200]})" if isinstance(it, Failure) else "an answer"

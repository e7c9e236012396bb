"""What a client of a dialect should read of a recording, and how that differs from what it reads."""

import functools
import re

from data import formats, table
from meaning import Call, Candidate, Failure, Meaning

# A finish that calls of tools outrank, as conformance 4.3 has it.
OUTRANKED = {"complete", "stop-sequence", "paused", None}


@functools.cache
def sense(format: str, word: str) -> str | None:
    """What a format's word for the end means; the natural end where a word is said for several."""
    names = table("finish.toml")
    strange = names["words"].get(format, {}).get(word)
    return strange or next((name for name, words in names.items() if word in words.get(format, [])), None)


def told(dialect: str, name: str) -> list[str]:
    """The words by which a dialect may say it: the first is the one for others, the rest are for its own kind."""
    return table("finish.toml")[name][dialect]


def end(format: str, candidate: Candidate) -> str | None:
    """What the end of a candidate means."""
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
    """In words; nothing where they are the same."""
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
    """Whether the provider refused the credential. It is the gateway's: its client is told 502, not that its own is bad."""
    return failure.status in {401, 403} or re.search(r"api.key", failure.text, re.IGNORECASE) is not None


def failures(wanted: Meaning | Failure, heard: Meaning | Failure) -> list[str]:
    """An error is an error of the same kind (4.6)."""
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
        # Where one side has no words of its own for a refusal, it is text.
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
    """The words that may be heard: the format's own word towards its own kind, else the first of the table's."""
    name = end(source, wanted)
    own = wanted.finish if wanted.detail is None else f"{wanted.finish}/{wanted.detail}"
    if source == dialect and own in told(dialect, name):
        return [own]
    # A refusal may be one by its words alone.
    return told(dialect, name) if name == "refusal" else told(dialect, name)[:1]


def whole_calls(wanted: list[Call], heard: list[Call]) -> list[tuple]:
    """What calls are where arguments are an object: those that are none (the answer was cut within them) are `{}`, or, where
    the format streams them as text, the same text."""
    keys = []
    for at, call in enumerate(wanted):
        is_object = isinstance(call.arguments, dict)
        same = at < len(heard) and heard[at].arguments == call.arguments
        keys.append(call.key() if is_object or same else Call(call.name, {}).key())
    return keys


def same_thoughts(wanted: list[str], heard: list[str]) -> bool:
    """Equal; where one side has several pieces and the other one text, what stands between them is blank."""
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
        # What the provider did not say may be an estimate where the dialect must say it (C-59).
        is_said = ours is not None or name not in {"input", "output"}
        if is_said and (ours or 0) != (theirs or 0):
            found.append(f"usage.{name}: wanted {ours}, heard {theirs}")
    return found


def brief(it: Meaning | Failure) -> str:
    return f"an error ({it.status}: {it.text[:200]})" if isinstance(it, Failure) else "an answer"

"""The matrix: every recording, read from the provider and from Weir in every dialect."""

import importlib
from dataclasses import dataclass, field, replace

import judge
from ask import Ask
from data import Recording, formats
from gateway import Gateway, dialects
from meaning import Failure, Meaning
from mend import mended
from replay import Replay


@dataclass
class Result:
    """One recording in one dialect."""

    recording: Recording
    dialect: str
    # `relay`, `forced` (the same format, translated), `translate`; `direct` if its own client cannot read it.
    lane: str
    differences: list[str] = field(default_factory=list)


def read(format: str, ask: Ask) -> Meaning | Failure:
    reader = importlib.import_module(f"readers.{formats()[format].reader}")
    try:
        return reader.ask(ask)
    except Exception as error:  # An answer that the official client cannot take in is a failure of the answer.
        return Failure(None, f"{type(error).__name__}: {error}", unread=True)


class Bench:
    """A replay and a Weir in front of it."""

    def __init__(self, recordings: list[Recording], answers: list[Recording]):
        self.replay = Replay()
        self.gateway = Gateway(self.replay.url, [*recordings, *answers])

    def try_out(self, recording: Recording) -> list[Result]:
        legal = mended(recording)
        self.replay.lay_out(legal)
        expected = read(recording.format, Ask(self.replay.url, recording.model, recording.stream))
        if isinstance(expected, Failure) and recording.status < 400:
            # An error within a stream has no status; one that is all of it gets that of its kind from Weir (C-22).
            expected = replace(expected, status=None)
        if isinstance(expected, Failure) and expected.unread:
            unread = f"its own client does not read it: {expected.text}"
            return [Result(recording, recording.format, "direct", [unread])]
        results = []
        for dialect in dialects():
            if self.fits(expected, dialect):
                lanes = self.lanes(recording, legal, dialect)
                results += [self.cell(recording, expected, dialect, lane) for lane in lanes]
        return results

    def lanes(self, recording: Recording, legal: Recording, dialect: str) -> list[str]:
        """`relay` if the bytes can be relayed, `forced` if the same format is translated all the same."""
        if dialect != recording.format:
            return ["translate"]
        return ["relay", "forced"] if legal is recording else ["forced"]

    def cell(self, recording: Recording, expected: Meaning | Failure, dialect: str, lane: str) -> Result:
        self.replay.lay_out(recording)
        ask = Ask(self.gateway.url, self.gateway.alias(recording, lane != "relay"), recording.stream)
        if isinstance(expected, Meaning):
            ask.tools = sorted({call.name for call in expected.calls})
            ask.candidates = len(expected.candidates)
        found = judge.differences(recording.format, expected, dialect, read(dialect, ask), lane)
        return Result(recording, dialect, lane, found)

    def fits(self, expected: Meaning | Failure, dialect: str) -> bool:
        """Whether a client could get this answer: one without calls never offers tools."""
        return isinstance(expected, Failure) or not expected.calls or "calls" in formats()[dialect].holds

    def close(self):
        self.gateway.close()

"""Tool calls in pieces. Servers omit, repeat and reuse `index` and `id`, so a call collects the aliases that it was
sent under.
"""

from typing import Optional

from .. import fit
from ..wire import count, object_of


def _words(value: object) -> str:
    return "" if value is None else fit.text(value)


class Piece:
    """One piece of a call."""

    def __init__(self, wire: dict):
        function, custom = object_of(wire.get("function")), object_of(wire.get("custom"))
        self.custom = bool(custom) and (not function or wire.get("type") == "custom")
        named = custom if self.custom else function
        self.index = count(wire.get("index"))
        self.id = _words(wire.get("id"))
        self.name = _words(named.get("name"))
        self.text = _words(named.get("input" if self.custom else "arguments"))

    @property
    def opens(self) -> bool:
        """Whether the piece can begin a call."""
        return bool(self.id or self.name)


class Progress:
    """Tracks whether a JSON text is complete."""

    def __init__(self) -> None:
        self.depth = 0
        self.inside = self.escape = self.complete = False

    def take(self, text: str) -> None:
        for character in text:
            if self.escape:
                self.escape = False
            elif self.inside:
                self.escape = character == "\\"
                self.inside = character != '"'
            elif character == '"':
                self.inside = True
            elif character in "{[":
                self.depth += 1
                self.complete = False
            elif character in "}]":
                self.depth = max(self.depth - 1, 0)
                self.complete = self.complete or self.depth == 0


class Call:
    """One call of a candidate and its known aliases."""

    def __init__(self) -> None:
        self.index: Optional[int] = None
        # The provider's id or a generated one, and the first id that the provider used for the call.
        self.id = self.alias = self.name = ""
        self.custom = self.stopped = False
        # Arguments that arrived before the name.
        self.waiting = ""
        # The number of its part, after the start.
        self.part: Optional[int] = None
        self.progress = Progress()

    def learn(self, piece: Piece) -> None:
        """Records a piece's aliases and buffers its text until the call can start."""
        self._take_names(piece)
        self.progress.take(piece.text)
        self.waiting += piece.text

    def add(self, piece: Piece) -> str:
        """Adds a piece to a started call; returns the text to emit."""
        self._take_names(piece)
        # A complete value takes nothing more, not even the whole value that some servers repeat at the end.
        if self.progress.complete and not self.custom:
            return ""
        self.progress.take(piece.text)
        return piece.text

    def is_over(self, piece: Piece) -> bool:
        """Whether the piece begins another call under the same aliases."""
        if not piece.name:
            return False
        renamed = self.name not in ("", piece.name)
        return renamed or (self.progress.complete and bool(piece.text.strip()))

    def _take_names(self, piece: Piece) -> None:
        self.index = piece.index if self.index is None else self.index
        self.custom = self.custom or piece.custom
        self.alias = self.alias or piece.id
        self.name = self.name or piece.name


def find(calls: list[Call], piece: Piece) -> Optional[Call]:
    """The call that a piece belongs to; None if it begins another."""
    latest = calls[::-1]

    def last(matches) -> Optional[Call]:  # type: ignore[no-untyped-def]
        return next((call for call in latest if matches(call)), None)

    def same_index(call: Call) -> bool:
        return piece.index is not None and call.index == piece.index

    if piece.id:
        found = last(lambda call: call.alias == piece.id)
        found = found or last(lambda call: same_index(call) and not call.alias)
    elif piece.index is not None:
        found = last(same_index)
        if found is None and not piece.name and latest:
            found = latest[0]
    elif piece.name:
        found = last(lambda call: not call.name)
    else:
        found = latest[0] if latest else None
    return None if found is None or found.is_over(piece) else found

"""Ids and names that a format would refuse, made fit without losing which is which, and the way back.

What does not fit is shortened and gets a hash of the whole as its tail, so that the same name always becomes the same
one and different names stay different. The same rule as in the Rust SDK.
"""

import json
from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class IdRule:
    """What an id or a name may look like."""

    max: int
    """The most characters."""
    also: Optional[str] = None
    """Characters other than ASCII letters and digits that may stand in it; None for any at all."""
    exact: bool = False
    """Whether it must have exactly `max` characters."""

    def fits(self, text: str) -> bool:
        """Whether `text` may stay as it is."""
        length = len(text)
        if not 0 < length <= self.max or (self.exact and length != self.max):
            return False
        return self.also is None or all(self._allows(c) for c in text)

    def fit(self, text: str) -> str:
        """`text` made fit: the same every time."""
        if self.fits(text):
            return text
        digits = f"{_fnv(text):016x}"
        if self.exact or self.max <= 16:
            return digits[: min(self.max, 16)]
        joint = "_" if self._allows("_") else ""
        replacement = "_" if joint else "x"
        room = min(self.max - 12 - len(joint), 128)
        clean = "".join(c if self._allows(c) else replacement for c in text[:room])
        return clean + joint + digits[:12]

    def _allows(self, character: str) -> bool:
        return self.also is None or (character.isascii() and character.isalnum()) or character in self.also


ANY = IdRule(1 << 30)
NAME = IdRule(64, "_-")


def _fnv(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8", "replace"):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


@dataclass
class Names:
    """The names of tools that a request had to change, kept in the memo for the way back."""

    rule: IdRule
    changed: dict[str, str] = field(default_factory=dict)

    def send(self, name: str) -> str:
        """The name to send; remembered if it is not the client's."""
        sent = self.rule.fit(name)
        if sent != name:
            self.changed.setdefault(sent, name)
        return sent

    def restore(self, name: str) -> str:
        """The client's name for the one that came back."""
        return self.changed.get(name, name)

    def to_memo(self) -> str:
        """The memo: empty where no name was changed."""
        return json.dumps(self.changed, ensure_ascii=False) if self.changed else ""

    @classmethod
    def from_memo(cls, rule: IdRule, memo: str) -> "Names":
        """Reads a memo; an unreadable one is as good as none."""
        try:
            changed = json.loads(memo) if memo else {}
        except ValueError:
            changed = {}
        return cls(rule, changed if isinstance(changed, dict) else {})

"""Changes ids and names that a format would refuse, so that each stays distinct, and restores them.

A name that does not fit is shortened and ends in a hash of the whole, so that the same name always gives the same
result and different names stay different. The Rust SDK has the same rule.
"""

import json
from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class IdRule:
    """The rule for an id or a name."""

    max: int
    """Most characters."""
    also: Optional[str] = None
    """Allowed characters besides ASCII letters and digits; None allows any."""
    exact: bool = False
    """Whether it must have exactly `max` characters."""

    def fits(self, text: str) -> bool:
        """Whether the rule allows `text`."""
        length = len(text)
        if not 0 < length <= self.max or (self.exact and length != self.max):
            return False
        return self.also is None or all(self._allows(c) for c in text)

    def fit(self, text: str) -> str:
        """`text` changed to fit the rule, always in the same way."""
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
    """The changed names of a request's tools, kept in the memo to restore them."""

    rule: IdRule
    changed: dict[str, str] = field(default_factory=dict)

    def send(self, name: str) -> str:
        """The name to send; a changed one is remembered."""
        sent = self.rule.fit(name)
        if sent != name:
            self.changed.setdefault(sent, name)
        return sent

    def restore(self, name: str) -> str:
        """The client's name for a name in an answer."""
        return self.changed.get(name, name)

    def to_memo(self) -> str:
        """The memo; empty if no name was changed."""
        return json.dumps(self.changed, ensure_ascii=False) if self.changed else ""

    @classmethod
    def from_memo(cls, rule: IdRule, memo: str) -> "Names":
        """Parses a memo; an unreadable one counts as empty."""
        try:
            changed = json.loads(memo) if memo else {}
        except ValueError:
            changed = {}
        return cls(rule, changed if isinstance(changed, dict) else {})

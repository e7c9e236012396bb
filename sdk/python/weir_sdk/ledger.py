"""What a translation loses, said out loud."""

from typing import Iterable, Optional

from wit_world.imports import types as t


class Ledger:
    """The losses of one rendering."""

    def __init__(self) -> None:
        self.losses: list[t.Loss] = []

    def dropped(self, field: str, note: Optional[str] = None) -> None:
        """The field has no place here and is left out."""
        self.losses.append(t.Loss(field, t.LossKind.DROPPED, note))

    def clamped(self, field: str, note: Optional[str] = None) -> None:
        """The value was moved to the nearest one allowed."""
        self.losses.append(t.Loss(field, t.LossKind.CLAMPED, note))

    def approximated(self, field: str, note: Optional[str] = None) -> None:
        """The value is said in another way."""
        self.losses.append(t.Loss(field, t.LossKind.APPROXIMATED, note))

    def foreign(self, place: str, extensions: Iterable[t.Extension], format: str) -> None:
        """Reports every extension of another format; one whose value is null is only a note of its family's."""
        for extension in extensions:
            if extension.format != format and extension.json != "null":
                self.dropped(place + extension.key, f"only {extension.format} has it")

    def take(self) -> list[t.Loss]:
        """The losses so far; the ledger is empty afterwards."""
        losses, self.losses = self.losses, []
        return losses

"""Records what a translation loses."""

from typing import Iterable, Optional

from wit_world.imports import types as t


class Losses:
    """The losses of one rendering."""

    def __init__(self) -> None:
        self.losses: list[t.Loss] = []

    def dropped(self, field: str, note: Optional[str] = None) -> None:
        """The target format has no place for the field, so it is left out."""
        self.losses.append(t.Loss(field, t.LossKind.DROPPED, note))

    def clamped(self, field: str, note: Optional[str] = None) -> None:
        """The value was moved to the nearest allowed one."""
        self.losses.append(t.Loss(field, t.LossKind.CLAMPED, note))

    def approximated(self, field: str, note: Optional[str] = None) -> None:
        """The value is expressed in another way."""
        self.losses.append(t.Loss(field, t.LossKind.APPROXIMATED, note))

    def foreign(self, place: str, extensions: Iterable[t.Extension], format: str) -> None:
        """Reports every extension of another format, except notes, whose value is null."""
        for extension in extensions:
            if extension.format != format and extension.json != "null":
                self.dropped(place + extension.key, f"only {extension.format} has it")

    def take(self) -> list[t.Loss]:
        """Returns the losses and empties the losses."""
        losses, self.losses = self.losses, []
        return losses

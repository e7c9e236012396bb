"""The matrix as text: for the terminal, and for docs/fidelity.md."""

from collections import defaultdict
from dataclasses import dataclass, field

from exceptions import Exceptions
from matrix import Result


@dataclass
class Count:
    passed: int = 0
    all: int = 0

    def add(self, is_passed: bool):
        self.passed += is_passed
        self.all += 1

    def __str__(self) -> str:
        return f"{self.passed}/{self.all}" if self.all else "-"


@dataclass
class Cell:
    """Counts for one dialect and one row: whole answers, and streams."""

    whole: Count = field(default_factory=Count)
    stream: Count = field(default_factory=Count)

    def add(self, result: Result):
        (self.stream if result.recording.stream else self.whole).add(not result.differences)

    def __str__(self) -> str:
        return f"{self.whole} + {self.stream}" if self.whole.all or self.stream.all else ""


class Report:
    """Counts of all results, and those that differ: excepted or not."""

    def __init__(self, results: list[Result]):
        self.exceptions = Exceptions()
        self.results = results
        self.excepted: list[tuple[Result, str]] = []
        self.failed: list[Result] = []
        for it in results:
            if not it.differences:
                continue
            reason = self.exceptions.reason(it.recording.id, it.dialect, it.lane)
            if reason is None:
                self.failed.append(it)
            else:
                self.excepted.append((it, reason))

    def total(self) -> Count:
        count = Count()
        for it in self.results:
            count.add(not it.differences)
        return count

    def streams(self) -> Count:
        count = Count()
        for it in self.results:
            if it.recording.stream:
                count.add(not it.differences)
        return count

    def table(self, row) -> list[list[str]]:
        """`row` names the row of a result; the columns are the dialects."""
        columns = sorted({column(it) for it in self.results}, key=lambda name: (name.split()[0], name))
        cells: dict = defaultdict(Cell)
        for it in self.results:
            cells[row(it), column(it)].add(it)
        names = sorted({name for name, _ in cells})
        return [["", *columns], *([name, *(str(cells[name, it]) for it in columns)] for name in names)]

    def by_format(self) -> list[list[str]]:
        return self.table(lambda it: it.recording.format)

    def by_provider(self) -> list[list[str]]:
        return self.table(lambda it: f"{it.recording.provider} · {it.recording.format}")


def column(result: Result) -> str:
    """The dialect; the relay lane of the same format is a separate column."""
    return f"{result.dialect} (relay)" if result.lane in {"relay", "direct"} else result.dialect


def text(rows: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def markdown(rows: list[list[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def line(result: Result) -> str:
    it = result.recording
    words = "; ".join(difference[:300] for difference in result.differences)
    return f"{it.id} ({'stream' if it.stream else 'whole'}) in {result.dialect} ({result.lane}): {words}"

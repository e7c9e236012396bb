"""The selection: everything, or a fixed sample."""

from collections import defaultdict

from data import Recording

CELL = 5


def sample(recordings: list[Recording]) -> list[Recording]:
    """Five recordings of each provider and format, with streams if there are any; chosen by hash."""
    rows: dict[tuple, list] = defaultdict(list)
    for it in sorted(recordings, key=lambda it: it.rank):
        rows[it.provider, it.format].append(it)
    chosen = []
    for row in rows.values():
        streams = [it for it in row if it.stream][: (CELL + 1) // 2]
        others = [it for it in row if not it.stream][: CELL - len(streams)]
        rest = [it for it in row if it not in streams and it not in others]
        chosen += [*streams, *others, *rest[: CELL - len(streams) - len(others)]]
    return sorted(chosen, key=lambda it: it.id)

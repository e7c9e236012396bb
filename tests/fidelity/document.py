"""docs/fidelity.md: the matrix, the exceptions, and how it was compared."""

from collections import defaultdict

import report
from data import table

HEAD = """# Fidelity

What a client reads in its own dialect, of what a provider answered in another format. Written by `cargo xtask fidelity`
over the recordings in `../shared/fixtures`; `cargo xtask test` tries a fixed sample of them.

Both sides are read by the official clients, never by Weir's own parsers: the recording by the client of its own format,
straight from a local server that replays it (in pieces of 617 bytes), and the translation by the client of the dialect,
through a running Weir whose upstream is that server. Compared exactly are the text, the reasoning, the tool calls (names,
arguments as JSON, order), the finish reason and the tokens. Recorded errors are compared by kind.
"""

RULES = """## What counts as the same

- A dialect is asked only for what it has a place for (`holds` in `tests/fidelity/formats.toml`). A client of legacy
  completions or of Ollama's `generate` offers no tools, so it is not asked for answers that call some.
- Finish reasons go through the table of the conformance cases (4.3), `tests/fidelity/finish.toml`: each meaning has one
  word in each dialect. Tool calls outrank a natural end. A refusal is one by its words where the format has a place for
  them, else by its finish; the words are then text.
- Tokens are compared as totals: all input (cached and not), all output (reasoning included), and the parts of them that
  the dialect tells apart. Where a provider leaves the reasoning out of the output, its own total tells.
- Several pieces of text or reasoning are one text. Where a dialect joins several pieces of reasoning, a blank line may
  stand between them.
- Arguments that were cut off by the output limit are no JSON. Where arguments are objects they are `{}` (4.1), except in a
  Messages stream, where they are the same text.
- Of several candidates, a dialect with one answer tells the first (C-80).
- A provider that refuses the gateway's credential is a 502 to its client (4.6).
- A relayed answer is compared with the words as they came: nothing is mapped there.
- What is not legal in a recording's own format is mended before the official client reads it (`tests/fidelity/mend.py`:
  a JSON array where events were asked for, enumerations as numbers, a foreign end mark); Weir gets it as it is.
- Where 4.3 has no row or column, the table's word is our own choice, made beside what the adapters do: Cohere's column, and
  a refusal (a filter word or a natural end both pass towards legacy completions, Cohere and Converse).
- Input or output that the provider does not tell may be an estimate (C-59), so it is not compared.
- A text in Converse's `citationsContent` is text. A Cohere stream that fails is a broken connection: it has no event for it.
- Call ids are compared with nothing; they must only be distinct in Chat.
- Requests towards their own format are compared in one spelling (`tests/fidelity/same.py`): empty, null, false and absent are
  one, neighbours of one role are one turn in Gemini and Converse, ids of Chat's calls count by their order, line breaks within
  Mistral's thinking and Gemini's `propertyOrdering` and `title` of older schemas are not compared. In the schemas, `oneOf` is
  read as `anyOf`, and what is wrong with the recorded request itself does not count.
- Recordings of other formats (Cohere v1, Replicate's predictions, Bedrock InvokeModel, text-generation `generate`) are of no format that Weir
  speaks; they are not in the matrix.
"""


def document(outcome: report.Report, unknown: list[str], sent: list) -> str:
    total, streams = outcome.total(), outcome.streams()
    parts = [
        HEAD,
        f"The same in meaning: **{total} ({share(total)})**, of these streams {streams} ({share(streams)}); "
        f"{len(outcome.excepted)} exceptions, {len(outcome.failed)} differences that nothing explains.\n",
        "Each cell is passed/all: whole answers + streams.\n",
        "## By format\n",
        report.markdown(outcome.by_format()) + "\n",
        "## By provider\n",
        report.markdown(outcome.by_provider()) + "\n",
    ]
    if unknown:
        parts.append(f"Not built, so not in it: {', '.join(unknown)}.\n")
    parts += [RULES, exceptions(outcome)]
    if outcome.failed:
        parts += ["## Differences that nothing explains\n", "\n".join(f"- {report.line(it)}" for it in outcome.failed) + "\n"]
    return "\n".join([*parts, *requests(sent)])


def share(count: report.Count) -> str:
    return f"{count.passed / count.all:.2%}" if count.all else "-"


def exceptions(outcome: report.Report) -> str:
    """Each reason once, with its recordings and their dialects."""
    reasons: dict = defaultdict(lambda: defaultdict(list))
    for it, reason in outcome.excepted:
        reasons[reason][it.recording.id].append(f"{it.dialect}{' (relay)' if it.lane == 'relay' else ''}")
    lines = ["## Exceptions\n"]
    for reason, ids in reasons.items():
        lines.append(f"{reason}\n")
        lines += [f"- `{id}`: {', '.join(dialects)}" for id, dialects in sorted(ids.items())]
        lines.append("")
    return "\n".join(lines)


def requests(sent: list) -> list[str]:
    """The other direction."""
    if not sent:
        return []
    cells: dict = defaultdict(lambda: [0, 0, 0])
    for it in sent:
        cell = cells[it.recording.format, f"{it.target} · {it.format}"]
        cell[0] += it.status < 400 and not it.problems
        cell[1] += it.reason is not None
        cell[2] += 1
    rows, columns = sorted({row for row, _ in cells}), sorted({name for _, name in cells})
    grid = [["", *columns]]
    for row in rows:
        found = [cells.get((row, name)) for name in columns]
        grid.append([row, *(f"{it[0]} + {it[1]} of {it[2]}" if it else "" for it in found)])
    lines = [
        "## Requests",
        "",
        "Recorded requests of each dialect, sent to every adapter through a forced translation: answered, with an upstream",
        "request that obeys the official schema, + refused for a reason that is listed, of all. Towards its own format the",
        "request that arrives is also compared with the recorded one.",
        "",
        report.markdown(grid),
        "",
        "Refusals, by what they say:",
        "",
    ]
    refused: dict = defaultdict(int)
    for it in sent:
        if it.reason is not None:
            refused[it.reason] += 1
    lines += [f"- {count}: {reason}" for reason, count in sorted(refused.items(), key=lambda it: -it[1])]
    listed = table("refusals.toml").get("complaints", [])
    lines += ["", "Complaints of the schemas that are not heeded:", "", *(f"- {it['reason']}" for it in listed), ""]
    if wrong := [it for it in sent if not it.is_right]:
        lines += ["Neither answered nor refused for a listed reason:", "", *(f"- {line(it)}" for it in wrong), ""]
    return lines


def line(it) -> str:
    """A request that went wrong, in words."""
    words = it.words if it.status >= 400 else "; ".join(it.problems[:3])
    return f"{it.recording.id} to {it.target} · {it.format}: {it.status} {words[:400]}"

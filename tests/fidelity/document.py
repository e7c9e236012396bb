"""docs/fidelity.md: the matrix, the exceptions, and how it was compared."""

from collections import defaultdict

import report
from data import table

HEAD = """# Fidelity

How faithfully a client of one dialect reads a provider's answer in another format. `cargo xtask fidelity` generates this page
from the recordings in `../shared/fixtures`; `cargo xtask test` checks a fixed sample of them.

The official clients read both sides, never Weir's own parsers. The client of the recording's own format reads the recording
directly from a local server that replays it (in pieces of 617 bytes). The client of the dialect reads the translation
through a running Weir whose upstream is that server. The comparison is exact for the text, the reasoning, the tool calls (names,
arguments as JSON, order), the finish reason and the tokens. Recorded errors are compared by kind.
"""

RULES = """## What counts as the same

- A dialect is compared only in the content that it can express (`holds` in `tests/fidelity/formats.toml`). A client of legacy
  completions or of Ollama's `generate` offers no tools, so answers with tool calls are not compared for it.
- Finish reasons are compared through the table of the conformance cases (4.3), `tests/fidelity/finish.toml`: each meaning has one
  word in each dialect. Tool calls outrank a natural end. A refusal is recognised by its text if the format has a place for
  it, otherwise by its finish reason; its text then counts as text.
- Tokens are compared as totals: all input (cached and not), all output (reasoning included), and the parts that
  the dialect distinguishes. If a provider excludes the reasoning from the output, its own total decides.
- Several pieces of text or reasoning count as one text. If a dialect joins several pieces of reasoning, a blank line may
  separate them.
- Arguments that the output limit cut off are not JSON. In formats with arguments as objects they are `{}` (4.1), except in a
  Messages stream, where they are the same text.
- With several candidates, a dialect with one answer has the first (C-80).
- A provider that refuses the gateway's credential is a 502 to its client (4.6).
- A relayed answer is compared with the original words: nothing is mapped there.
- Content that is invalid in a recording's own format is corrected before the official client reads it (`tests/fidelity/mend.py`:
  a JSON array in place of events, enumerations as numbers, a foreign end mark); Weir receives it uncorrected.
- Where 4.3 has no row or column, the table's word is a choice of this project, consistent with the adapters: Cohere's column, and
  a refusal (towards legacy completions, Cohere and Converse, a filter word and a natural end both pass).
- Input or output that the provider does not report may be an estimate (C-59), so it is not compared.
- A text in Converse's `citationsContent` is text. A failing Cohere stream is a broken connection, since the format has no event for it.
- Call ids are not compared; in Chat they must be distinct. A call that the provider carried out itself is none of the client's.
- An error within a stream has no status; where it is the first event, Weir's client gets the status of its kind (C-22).
- Requests towards their own format are compared in one spelling (`tests/fidelity/same.py`): empty, null, false and absent are
  one, neighbours of one role are one turn in Gemini and Converse, ids of Chat's calls count by their order, line breaks within
  Mistral's thinking, the `title` of Gemini's older schemas and its turns without parts are not compared, and a default equals
  its absence. In the schemas, `oneOf` is read as `anyOf`, and mistakes of the recorded request itself do not count.
- Recordings in other formats (Cohere v1, Replicate's predictions, Bedrock InvokeModel, text-generation `generate`) are not in the
  matrix, since Weir does not translate these formats.
"""


def document(outcome: report.Report, unknown: list[str], sent: list) -> str:
    total, streams = outcome.total(), outcome.streams()
    parts = [
        HEAD,
        f"The same in meaning: **{total} ({share(total)})**, of these streams {streams} ({share(streams)}); "
        f"{len(outcome.excepted)} exceptions, {len(outcome.failed)} unexplained differences.\n",
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
        parts += ["## Unexplained differences\n", "\n".join(f"- {report.line(it)}" for it in outcome.failed) + "\n"]
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
        "Recorded requests of each dialect, sent to every adapter through a forced translation. Each cell has the number of answered",
        "requests, whose upstream request obeys the official schema, + those refused for a listed reason, of all. Towards its own format the",
        "upstream request is also compared with the recorded one.",
        "",
        report.markdown(grid),
        "",
        "Refusals, by reason:",
        "",
    ]
    refused: dict = defaultdict(int)
    for it in sent:
        if it.reason is not None:
            refused[it.reason] += 1
    lines += [f"- {count}: {reason}" for reason, count in sorted(refused.items(), key=lambda it: -it[1])]
    listed = table("refusals.toml").get("complaints", [])
    lines += ["", "Complaints of the schemas that are ignored:", "", *(f"- {it['reason']}" for it in listed), ""]
    if wrong := [it for it in sent if not it.is_right]:
        lines += ["Neither answered nor refused for a listed reason:", "", *(f"- {line(it)}" for it in wrong), ""]
    return lines


def line(it) -> str:
    """A request that went wrong, in words."""
    words = it.words if it.status >= 400 else "; ".join(it.problems[:3])
    return f"{it.recording.id} to {it.target} · {it.format}: {it.status} {words[:400]}"

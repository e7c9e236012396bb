"""Makes a recording legal in its own format, so that the format's official client can read it.

Weir gets the original recording. The relay lane repairs nothing, so a client that cannot read such a recording cannot
read it there either: that cell is left out.
"""

import json
import re
from dataclasses import replace

from data import Recording

# The numbers of Gemini's enumeration, which Google's older libraries write instead of the names.
FINISHES = ["FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER"]


def mended(recording: Recording) -> Recording:
    """The recording, unchanged if it is legal."""
    if recording.format == "gemini.generate":
        return named(as_events(recording))
    if recording.format == "anthropic.messages" and recording.stream:
        # A router's end mark, which the format does not have.
        body = re.sub(rb"event: data\ndata: \[DONE\]\s*", b"", recording.body)
        return recording if body == recording.body else replace(recording, body=body)
    return recording


def as_events(recording: Recording) -> Recording:
    """The official client requests server-sent events; this was recorded without, as one JSON array."""
    if not recording.stream or not recording.body.lstrip().startswith(b"["):
        return recording
    events = b"".join(b"data: " + json.dumps(it).encode() + b"\n\n" for it in json.loads(recording.body))
    return replace(recording, body=events, kind="text/event-stream")


def named(recording: Recording) -> Recording:
    """Replaces an enumeration's numbers by names, for the finish reason only: the others are not compared."""
    if not re.search(rb'"(finishReason|modality)":\s*\d', recording.body):
        return recording
    if not recording.stream:
        return replace(recording, body=json.dumps(with_names(json.loads(recording.body))).encode())
    lines = recording.body.split(b"\n")
    return replace(recording, body=b"\n".join(event_with_names(it) for it in lines))


def event_with_names(line: bytes) -> bytes:
    """A line of server-sent events, with names in its data."""
    mark, data = line[:5], line[5:]
    return b"data: " + json.dumps(with_names(json.loads(data))).encode() if mark == b"data:" else line


def with_names(body: dict) -> dict:
    for candidate in body.get("candidates", []):
        if isinstance(candidate.get("finishReason"), int):
            candidate["finishReason"] = FINISHES[candidate["finishReason"]]
        candidate.pop("safetyRatings", None)
    usage = body.get("usageMetadata", {})
    for name in [name for name in usage if name.endswith("Details") or name == "trafficType"]:
        del usage[name]
    return body

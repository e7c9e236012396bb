"""The other direction: recorded requests of every dialect, sent to every provider's format. Weir answers, or refuses
for a listed reason; the upstream request obeys the official schema; and a format translated to itself keeps its
meaning.
"""

import http.client
import json
import re
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field

import same
import schemas
from data import Recording, formats, providers, table
from gateway import Gateway, adapter
from replay import Replay


@dataclass
class Outcome:
    """One recorded request to one target."""

    recording: Recording
    target: str
    # The target's format.
    format: str
    status: int
    # Weir's message if it refused.
    words: str = ""
    # The listed reason of a refusal.
    reason: str | None = None
    # The schema's complaints about the upstream request, and its differences from the original.
    problems: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return self.reason is not None or (self.status < 400 and not self.problems)


def targets(recordings: list[Recording]) -> dict[tuple, dict[bool, Recording]]:
    """For each adapter and format, its shortest recorded answers, whole and streamed."""
    found: dict = defaultdict(dict)
    for it in sorted(recordings, key=lambda it: (len(it.body), it.id)):
        name = adapter(it.provider, it.format)
        if name and it.status == 200 and not {"error", "content_filter"} & set(it.features):
            found[name, it.format].setdefault(it.stream, it)
    return found


class Sender:
    """Sends recorded requests, unchanged except for the model."""

    def __init__(self, replay: Replay, gateway: Gateway):
        self.replay, self.gateway = replay, gateway
        address = urllib.parse.urlsplit(gateway.url).netloc
        self.connection = http.client.HTTPConnection(address, timeout=30)

    def send_all(self, recording: Recording, targets: dict) -> list[Outcome]:
        """Sends to the adapter named after each format, and to that of the recorded provider."""
        home = (adapter(recording.provider, recording.format), recording.format)
        answers = {place: it.get(recording.stream) for place, it in targets.items()}
        places = {
            (name, format): it
            for (name, format), it in answers.items()
            if it and ((name, format) == home or name in formats()[format].adapters)
        }
        return [self.send(recording, place, answer) for place, answer in places.items()]

    def send(self, recording: Recording, target: tuple, answer: Recording) -> Outcome:
        name, format = target
        # Adapters read the model's name, so a request to its own provider keeps the original one.
        is_own = is_at_home(recording, name, format)
        self.replay.lay_out(answer)
        status, text = self.post(recording, self.gateway.alias(recording if is_own else answer, forced=True))
        outcome = Outcome(recording, name, format, status)
        if status >= 400:
            outcome.words = words(text)
            outcome.reason = refusal(recording.format, format, outcome.words)
        elif self.replay.asked:
            asked = self.replay.asked[0]
            sent = asked.body
            # An adapter may have several endpoints for a format: a prompt with a suffix is not chat at Ollama.
            where = asked.path.split("?")[0]
            spoken = next((it.id for it in formats().values() if it.path.search(where)), format)
            outcome.problems = [it for it in schemas.complaints(name, spoken, sent) if not heeds_not(format, it)]
            if format == recording.format:
                # Errors of the original request are ignored.
                original = {**recording.request, "model": recording.model}
                known = {place(it) for it in schemas.complaints(name, format, original)}
                outcome.problems = [it for it in outcome.problems if place(it) not in known]
            if is_own:
                outcome.problems += same.differences(format, recording.request, sent)
        return outcome

    def post(self, recording: Recording, alias: str) -> tuple[int, bytes]:
        face = formats()[recording.format]
        path = (face.post_stream if recording.stream else face.post).replace("{model}", alias)
        body = recording.request
        if "model" in body or "{model}" not in face.post:
            body = {**body, "model": alias}
        headers = {"content-type": "application/json", "authorization": "Bearer sk-fidelity"}
        self.connection.request("POST", path, json.dumps(body).encode(), headers)
        response = self.connection.getresponse()
        try:
            return response.status, response.read()
        except http.client.IncompleteRead as cut:
            # The recorded stream ends in an error, so Weir breaks it off.
            self.connection.close()
            return response.status, cut.partial


def place(complaint: str) -> str:
    """The member or item of a schema's complaint; which of its parts is named depends on the alternative that was
    tried.
    """
    return "/".join(complaint.split(":")[0].split("/")[:2])


def is_at_home(recording: Recording, name: str, format: str) -> bool:
    """Whether the target is the adapter of the provider that was recorded."""
    own = providers().get(recording.provider, {}).get("adapters", [recording.provider])
    return format == recording.format and name in own


def words(text: bytes) -> str:
    """The message of an error in any dialect."""
    found = re.search(rb'"(?:message|error)":\s*"((?:[^"\\]|\\.)*)"', text)
    return (found.group(1) if found else text).decode(errors="replace")


def refusal(source: str, target: str, words: str) -> str | None:
    """The listed reason of a refusal."""
    for it in table("refusals.toml").get("refusals", []):
        fits = "*" in it["to"] or target in it["to"]
        if fits and ("from" not in it or source in it["from"]) and re.search(it["words"], words):
            return it["reason"]
    return None


def heeds_not(format: str, complaint: str) -> bool:
    """Whether a schema's complaint is listed, because the file is older than the service."""
    listed = table("refusals.toml").get("complaints", [])
    return any(format in it["formats"] and re.search(it["words"], complaint) for it in listed)

"""tale: an adapter for Weir, for a provider with its own format.

`../README.md` describes the format. Values that it has no place for are refused or reported as a loss.
"""

from typing import Any, Optional

from weir_sdk import Losses, export, manifest, model, wire
from wit_world.exports import about as a
from wit_world.exports import provider_chat as chat
from wit_world.imports import types as t

FORMAT = "tale"
ENDS = {"done": "complete", "pages": "length"}


class About:
    def describe(self) -> a.Manifest:
        return manifest.manifest(
            name="tale",
            version="0.1.0",
            description="tale: tellings, whole and line by line",
            url="https://api.tale.example/",
            models=["tale-*"],
            formats=[manifest.format(FORMAT)],
            accepts=[manifest.acceptance(FORMAT, a.Operation_Chat(), "tell")],
            capabilities=manifest.capabilities([a.Operation_Chat()], tools=False),
        )


class Errors:
    def parse_error(self, ctx: t.Context, response: t.HttpResponse) -> t.Error:
        try:
            words = wire.object_of(wire.read(model.body_text(response.body))).get("burnt")
        except ValueError:
            words = None
        kinds = {401: "authentication", 404: "not-found", 429: "rate-limited"}
        kind = kinds.get(response.status, "invalid-request" if response.status < 500 else "upstream")
        return model.fail(kind, words or f"the provider answered with status {response.status}").value


class Chat:
    def render_request(self, ctx: t.Context, request: t.ChatRequest) -> t.RenderedRequest:
        if request.tools:
            raise model.fail("unsupported", "there are no tools here", param="tools")
        losses = Losses()
        if request.sampling.temperature is not None:
            losses.dropped("temperature", "tellers have one temper")
        body = {
            "teller": ctx.model or request.model,
            "prologue": "\n".join(words(at, m) for at, m in enumerate(request.messages) if is_system(m)) or None,
            "lines": [line(at, m) for at, m in enumerate(request.messages) if not is_system(m)],
            "pages": request.max_output_tokens,
            "live": request.stream or None,
        }
        framing = t.Framing.NDJSON if request.stream else None
        return model.rendered(model.post("tell", wire.write(body)), losses.take(), framing=framing)

    def parse_response(self, ctx: t.Context, response: t.HttpResponse) -> chat.ChatOutcome:
        answer = model.answer_json(response)
        told = model.candidate(0, [model.text(answer["told"])], ending(answer["why"]))
        whole = model.response(answer["tale"], [told], usage=usage(answer.get("ink")))
        return chat.ChatOutcome_Complete(chat.ChatAnswer(whole, []))

    class ChatDecoder:
        """Keeps state between frames: whether the part has begun, and whether the answer has ended."""

        def __init__(self, ctx: t.Context) -> None:
            self.begun = False
            self.ended = False

        def push(self, frames: list[t.Frame]) -> t.Decoded:
            return t.Decoded([event for frame in frames for event in self.frame(wire.read(frame.data))], [])

        def frame(self, frame: dict[str, Any]) -> list[Any]:
            events: list[Any] = []
            if "opens" in frame:
                events.append(model.start(frame["opens"]))
            if "says" in frame:
                if not self.begun:
                    self.begun = True
                    events.append(model.part_start(0, 0, t.PartKind_Text()))
                events.append(model.delta(0, 0, frame["says"]))
            if "closes" in frame:
                self.ended = True
                if self.begun:
                    events.append(model.part_stop(0, 0))
                events.append(t.ChatEvent_Usage(usage(frame.get("ink"))))
                events.append(model.finished(0, ending(frame["closes"])))
            if "burnt" in frame:
                self.ended = True
                events.append(t.ChatEvent_Failure(model.unreadable(frame["burnt"]).value))
            return events

        def finish(self) -> t.Decoded:
            """An answer without its last line was cut off, however orderly its bytes ended."""
            if self.ended:
                return t.Decoded([], [])
            return t.Decoded([t.ChatEvent_Failure(model.unreadable("the tale broke off").value)], [])


def is_system(message: t.Message) -> bool:
    return isinstance(message.role, (t.Role_System, t.Role_Developer))


def line(at: int, message: t.Message) -> dict[str, str]:
    by = "teller" if isinstance(message.role, t.Role_Assistant) else "reader"
    return {"by": by, "says": words(at, message)}


def words(at: int, message: t.Message) -> str:
    """The words of a message. The format has nothing else, and leaving parts out would change what was asked."""
    said = []
    for number, part in enumerate(message.parts):
        match part:
            case t.Part_Text(text):
                said.append(text.text)
            case _:
                raise model.fail("unsupported", "only text can be told", param=f"messages[{at}].content[{number}]")
    return "\n".join(said)


def ending(word: str) -> t.Finish:
    return model.finish(ENDS.get(word, "other"), word)


def usage(ink: Optional[dict[str, int]]) -> t.Usage:
    ink = ink or {}
    return model.usage(input=ink.get("read"), output=ink.get("spent"))


export(__name__, about=About(), provider_errors=Errors(), provider_chat=Chat())

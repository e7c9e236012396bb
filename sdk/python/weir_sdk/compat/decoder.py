"""Decodes streamed answers: a state machine for each candidate, from chunks to events.

Neither `index` nor `id` of a tool call is trusted; a value that is repeated gives one event; the same chunks give the
same events however they are grouped.
"""

import json
from typing import Any, Optional

from wit_world.imports import types as t

from .. import model, wire
from ..losses import Losses
from ..names import Names
from ..wire import count, list_of, object_of
from . import errors, usage
from .calls import Call, Piece, find
from .quirks import FORMAT
from .response import citation, content_part, created_ms, fingerprint_last, finish, made_id, without, words_of

_CHUNK = {"id", "object", "created", "model", "choices", "usage", "service_tier", "error"}
_CHOICE = {"index", "delta", "message", "text", "logprobs", "finish_reason", "error"}
_DELTA = {"role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "annotations"}


class ChunkDecoder:
    """Decodes the chunks of one answer."""

    def __init__(self, provider: Any, ctx: t.Context):
        self.provider, self.ctx, self.losses = provider, ctx, Losses()
        self.noise = set(provider.quirks.noise)
        self.names = Names.from_memo(provider.quirks.tool_names, ctx.memo)
        self.started = self.done = self.failed = False
        self.candidates: dict[int, Candidate] = {}
        self.usage: Optional[t.Usage] = None
        self.last_members: dict[str, str] = {}
        self.events: list[Any] = []

    def push(self, frames: list[t.Frame]) -> t.Decoded:
        """Decodes the frames of one read."""
        for frame in frames:
            if not self.failed:
                self._frame(frame)
        return self._take()

    def finish(self) -> t.Decoded:
        """Called when the upstream has ended. Without a finish and without `[DONE]` the answer counts as broken."""
        complete = all(candidate.finished for candidate in self.candidates.values())
        if self.failed or (complete and self.started):
            return self._take()
        if not self.done or not self.started:
            self._fail(model.unreadable("the provider's stream ended before the answer was complete").value)
            return self._take()
        self.losses.approximated("choices[].finish_reason", "the provider sent none")
        for candidate in self.candidates.values():
            if not candidate.finished:
                candidate.close(model.finish("tool-calls" if candidate.calls else "complete"))
        return self._take()

    def _take(self) -> t.Decoded:
        # Cleared in place: the candidates hold the same list.
        events = self.events[:]
        self.events.clear()
        return t.Decoded(events, self.losses.take())

    def _fail(self, error: t.Error) -> None:
        self.failed = True
        self.events.append(t.ChatEvent_Failure(error))

    def _frame(self, frame: t.Frame) -> None:
        data = frame.data.strip()
        if not data or self.done:
            return
        if data == "[DONE]":
            self.done = True
            return
        try:
            chunk = json.loads(data)
        except ValueError as error:
            return self._fail(model.unreadable(f"a chunk is not readable: {error}").value)
        if frame.event == "error":
            return self._fail(errors.from_json(chunk, None))
        self._chunk(object_of(chunk))

    def _chunk(self, chunk: dict) -> None:
        if chunk.get("error"):
            self._usage(chunk)
            return self._fail(errors.from_json(chunk["error"], None))
        self._members(chunk)
        for position, choice in enumerate(list_of(chunk.get("choices"))):
            choice = object_of(choice)
            if choice.get("error"):
                return self._fail(errors.from_json(choice["error"], None))
            index = count(choice.get("index"))
            index = position if index is None else index
            if index not in self.candidates:
                self.candidates[index] = Candidate(self, index)
            self.candidates[index].take(choice)
        self._usage(chunk)

    def _usage(self, chunk: dict) -> None:
        given = chunk.get("usage")
        found = usage.read(given) if given else None
        if found is not None and found != self.usage:
            self.usage = found
            self.events.append(t.ChatEvent_Usage(found))

    def _members(self, chunk: dict) -> None:
        """Reads the members around the choices: the first chunk starts the answer, later ones may change values."""
        news = {}
        tier = {"service_tier": chunk["service_tier"]} if self.started and "service_tier" in chunk else {}
        rest = {} if chunk.keys() <= _CHUNK else fingerprint_last(without(chunk, _CHUNK | self.noise))
        for key, value in (rest | tier).items():
            if value is not None and self.last_members.get(key) != (written := wire.whole(value)):
                self.last_members[key], news[key] = written, value
        if self.started:
            if news:
                self._opaque("chunk", news)
            return
        if not chunk.get("id") and not chunk.get("choices"):
            # A first chunk without an id yet: its members are kept for the start.
            return
        self.started = True
        kept = [t.Extension(FORMAT, key, value) for key, value in self.last_members.items()]
        if chunk.get("service_tier") is not None:
            self.last_members["service_tier"] = wire.whole(chunk["service_tier"])
        self.events.append(
            model.start(
                chunk.get("id") or "",
                model=chunk.get("model") or None,
                created_ms=created_ms(chunk),
                service_tier=chunk.get("service_tier"),
                extensions=kept,
            )
        )

    def _opaque(self, kind: str, members: dict) -> None:
        self.events.append(t.ChatEvent_Opaque(t.Opaque(FORMAT, kind, wire.whole(members))))


class Candidate:
    """One candidate: its open parts, and the events of each delta."""

    def __init__(self, decoder: ChunkDecoder, index: int):
        self.decoder, self.index, self.events = decoder, index, decoder.events
        self.finished = False
        self.parts = 0
        # The part that text is added to, and its kind.
        self.open: Optional[tuple[int, type]] = None
        self.calls: list[Call] = []

    def take(self, choice: dict) -> None:
        """Reads one choice of a chunk."""
        delta = choice.get("delta")
        if delta is None and self.parts == 0:
            # Some servers repeat the whole message beside each delta: it counts only if nothing was emitted before.
            delta = choice.get("message")
        delta = object_of(delta)
        if choice.get("text"):
            delta = {"content": choice["text"]} | delta
        if choice.get("logprobs") is not None:
            found = t.CandidateLogprobs(self.index, wire.whole(choice["logprobs"]))
            self.events.append(t.ChatEvent_Logprobs(found))
        if not self.finished:
            self._delta(delta)
        self._others(choice, delta)
        end = finish(self.decoder.provider, choice.get("finish_reason"), bool(self.calls))
        if end is not None and not self.finished:
            self.close(end)

    def close(self, end: t.Finish) -> None:
        """Ends the candidate."""
        self._stop_words()
        for call in self.calls:
            self._stop_call(call)
        self.finished = True
        self.events.append(model.finished(self.index, end))

    def _others(self, choice: dict, delta: dict) -> None:
        """Members that other formats do not have, as an event."""
        noise = self.decoder.noise
        # Nearly all chunks have none; this check makes no dictionary.
        if choice.keys() <= _CHOICE and delta.keys() <= _DELTA:
            return
        rest = {key: value for key, value in without(choice, _CHOICE | noise).items() if value is not None}
        inner = {key: value for key, value in without(delta, _DELTA | noise).items() if value is not None}
        if rest or inner:
            self.decoder._opaque("choice", {"index": self.index, "delta": inner} | rest)

    def _delta(self, delta: dict) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            self._words(t.PartKind_Reasoning, words_of(thought))
        content = delta.get("content")
        if isinstance(content, list):
            for part in content:
                self._part(content_part(object_of(part)))
        elif content:
            self._words(t.PartKind_Text, words_of(content))
        for note in list_of(delta.get("annotations")):
            part = self._open_words(t.PartKind_Text)
            cited = t.PartCitation(self.index, part, citation(object_of(note)))
            self.events.append(t.ChatEvent_Citation(cited))
        if delta.get("refusal"):
            self._words(t.PartKind_Refusal, words_of(delta["refusal"]))
        for call in list_of(delta.get("tool_calls")):
            self._call(Piece(object_of(call)))
        if delta.get("function_call"):
            self._call(Piece({"function": delta["function_call"]}))

    def _part(self, part: Any) -> None:
        """Emits a part that arrived whole."""
        match part:
            case t.Part_Text(text):
                self._words(t.PartKind_Text, text.text)
            case t.Part_Reasoning(thought):
                self._words(t.PartKind_Reasoning, thought.text)
            case t.Part_Refusal(words):
                self._words(t.PartKind_Refusal, words)
            case t.Part_Opaque(opaque):
                self._stop_words()
                self._settle()
                self.events.append(model.part_stop(self.index, self._start(t.PartKind_Opaque(opaque))))

    def _words(self, kind: type, words: str) -> None:
        """Adds text; an empty piece changes nothing, so it closes no other part."""
        if words:
            self.events.append(model.delta(self.index, self._open_words(kind), words))

    def _open_words(self, kind: type) -> int:
        if self.open is None or self.open[1] is not kind:
            self._stop_words()
            self._settle()
            self.open = (self._start(kind()), kind)
        return self.open[0]

    def _start(self, kind: Any) -> int:
        self.parts += 1
        self.events.append(model.part_start(self.index, self.parts - 1, kind))
        return self.parts - 1

    def _stop_words(self) -> None:
        if self.open is not None:
            self.events.append(model.part_stop(self.index, self.open[0]))
            self.open = None

    def _call(self, piece: Piece) -> None:
        call = find(self.calls, piece)
        if call is None and not piece.opens:
            return self.decoder.losses.dropped("choices[].delta.tool_calls", "arguments came before any call")
        if call is None:
            call = Call()
            self.calls.append(call)
        if call.stopped:
            return
        if call.part is not None:
            words = call.add(piece)
            if words:
                self.events.append(model.delta(self.index, call.part, words))
            return
        if not call.id and piece.id and all(other.id != piece.id for other in self.calls):
            call.id = piece.id
        call.learn(piece)
        if call.name:
            self._start_call(call)

    def _start_call(self, call: Call) -> None:
        decoder = self.decoder
        call.id = call.id or made_id(decoder.ctx, self.index, self.calls.index(call))
        self._stop_words()
        self._settle()
        call.part = self._start(model.tool_start(call.id, decoder.names.restore(call.name), custom=call.custom))
        if call.waiting:
            self.events.append(model.delta(self.index, call.part, call.waiting))
            call.waiting = ""

    def _settle(self) -> None:
        """Stops the calls whose arguments are complete, so that the next part need not wait for them."""
        for call in self.calls:
            if call.progress.complete:
                self._stop_call(call)

    def _stop_call(self, call: Call) -> None:
        if call.part is not None and not call.stopped:
            call.stopped = True
            self.events.append(model.part_stop(self.index, call.part))

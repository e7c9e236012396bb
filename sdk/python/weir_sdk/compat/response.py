"""Parses whole answers: from the provider's format to the unified model."""

from typing import Any, Optional

from wit_world.exports import provider_chat as p
from wit_world.imports import types as t

from .. import fit, model, wire
from ..names import Names
from ..wire import count, list_of, object_of
from . import errors, usage
from .quirks import FORMAT

_ANSWER = {"id", "object", "created", "model", "choices", "usage", "service_tier", "obfuscation", "error"}
_CHOICE = {"index", "message", "delta", "text", "logprobs", "finish_reason", "error"}
_MESSAGE = {"role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "annotations"}
_FINISH = {
    "complete": "stop end_turn eos eos_token completed STOP",
    "stop-sequence": "stop_sequence",
    "length": "length max_tokens max_output_tokens MAX_TOKENS",
    "context-length": "model_length",
    "tool-calls": "tool_calls tool_call tool_use function_call",
    "content-filter": "content_filter safety SAFETY content_filtered",
    "refusal": "refusal",
    "malformed-tool-call": "malformed_function_call",
    "failed": "error abort cancelled insufficient_system_resource",
}
_REASONS = {word: reason for reason, words in _FINISH.items() for word in words.split()}


def parse(provider: Any, ctx: t.Context, response: t.HttpResponse) -> p.ChatOutcome:
    """Parses a whole chat answer."""
    answer = object_of(model.answer_json(response))
    if answer.get("error"):
        raise model.Err(errors.from_json(answer["error"], None))
    names = Names.from_memo(provider.quirks.tool_names, ctx.memo)
    choices = enumerate(list_of(answer.get("choices")))
    candidates = [_candidate(provider, ctx, names, position, object_of(choice)) for position, choice in choices]
    whole = model.response(
        answer.get("id") or "",
        candidates,
        model=answer.get("model"),
        created_ms=created_ms(answer),
        usage=usage.read(answer.get("usage")),
        service_tier=answer.get("service_tier"),
        extensions=model.extensions(FORMAT, fingerprint_last(without(answer, _ANSWER))),
    )
    return p.ChatOutcome_Complete(p.ChatAnswer(whole, []))


def without(shape: dict, known: set[str]) -> dict:
    """The unknown members."""
    return {key: value for key, value in shape.items() if key not in known}


def fingerprint_last(rest: dict) -> dict:
    """Moves the fingerprint to the end: all SDKs keep members in this order, so that their results compare."""
    if "system_fingerprint" in rest:
        rest["system_fingerprint"] = rest.pop("system_fingerprint")
    return rest


def created_ms(answer: dict) -> Optional[float]:
    """The time when the answer was made, in milliseconds."""
    created = answer.get("created")
    return created * 1000.0 if isinstance(created, (int, float)) else None


def _candidate(provider: Any, ctx: t.Context, names: Names, position: int, choice: dict) -> t.Candidate:
    if choice.get("error"):
        raise model.Err(errors.from_json(choice["error"], None))
    message = object_of(choice.get("message") or choice.get("delta") or {"content": choice.get("text")})
    parts = _parts(ctx, names, message)
    kept = model.extensions(FORMAT, without(choice, _CHOICE))
    rest = {key: value for key, value in without(message, _MESSAGE).items() if value is not None}
    if rest:
        kept.append(model.extension(FORMAT, "message", rest))
    called = any(isinstance(part, t.Part_ToolCall) for part in parts)
    index = count(choice.get("index"))
    logprobs = choice.get("logprobs")
    return model.candidate(
        position if index is None else index,
        parts,
        finish(provider, choice.get("finish_reason"), called),
        logprobs=None if logprobs is None else wire.whole(logprobs),
        extensions=kept,
    )


def finish(provider: Any, word: Any, called: bool) -> Optional[t.Finish]:
    """Parses a finish reason. Tool calls outrank a natural end."""
    if not word:
        return None
    word = fit.text(word)
    reason = provider.finish(word) or _REASONS.get(word, "other")
    if called and reason in ("complete", "stop-sequence", "other"):
        reason = "tool-calls"
    return model.finish(reason, word)


def _parts(ctx: t.Context, names: Names, message: dict) -> list[Any]:
    parts: list[Any] = []
    thought = words_of(message.get("reasoning_content")) or words_of(message.get("reasoning"))
    if thought:
        parts.append(model.reasoning(thought))
    content = message.get("content")
    if isinstance(content, list):
        parts += [content_part(object_of(part)) for part in content]
    elif content:
        parts.append(model.text(words_of(content)))
    cited = [citation(object_of(note)) for note in list_of(message.get("annotations"))]
    if cited:
        last = next((part for part in reversed(parts) if isinstance(part, t.Part_Text)), None)
        if last is None:
            last = model.text("")
            parts.append(last)
        last.value.citations += cited
    if message.get("refusal"):
        parts.append(model.refusal(message["refusal"]))
    calls = list_of(message.get("tool_calls"))
    if message.get("function_call"):
        calls = [*calls, {"function": message["function_call"]}]
    return parts + _calls(ctx, names, calls)


def content_part(part: dict) -> Any:
    """Parses a part of a list of content; one of an unknown type is kept as it is."""
    if isinstance(part.get("text"), str) and part.get("type") in ("text", None):
        return model.text(part["text"], extensions=model.extensions(FORMAT, without(part, {"type", "text"})))
    if part.get("type") == "refusal" and part.get("refusal"):
        return model.refusal(part["refusal"])
    if part.get("type") == "thinking" and part.get("thinking") is not None:
        kept = model.extensions(FORMAT, without(part, {"type", "thinking"}))
        return model.reasoning(words_of(part["thinking"]), extensions=kept)
    return t.Part_Opaque(t.Opaque(FORMAT, fit.text(part.get("type")), wire.whole(part)))


def words_of(value: Any) -> str:
    """Text, however it is wrapped; an object becomes its JSON."""
    if isinstance(value, list):
        return "".join(words_of(object_of(part).get("text")) for part in value)
    return fit.text(value)


def citation(note: dict) -> t.Citation:
    """Parses an entry of `annotations`; one with more members than a page's citation is also kept whole."""
    page = object_of(note.get("url_citation"))
    plain = note.keys() <= {"type", "url_citation"} and page.keys() <= {"url", "title", "start_index", "end_index"}
    plain = plain and note.get("type") == "url_citation" and page.get("url") is not None
    return model.citation(
        url=page.get("url"),
        title=page.get("title"),
        start=count(page.get("start_index")),
        end=count(page.get("end_index")),
        source=None if plain else t.Opaque(FORMAT, fit.text(note.get("type")), wire.whole(note)),
    )


def _calls(ctx: t.Context, names: Names, calls: list) -> list[Any]:
    parts: list[Any] = []
    ids: set[str] = set()
    for number, call in enumerate(map(object_of, calls)):
        custom = call.get("custom") is not None and (not call.get("function") or call.get("type") == "custom")
        function = object_of(call.get("custom") if custom else call.get("function"))
        if not function.get("name"):
            continue
        id = fit.text(call.get("id"))
        if not id or id in ids:
            id = made_id(ctx, 0, number)
        ids.add(id)
        arguments = function.get("input") if custom else function.get("arguments")
        kept = model.extensions(FORMAT, without(call, {"id", "type", "index", "function", "custom"}))
        name = names.restore(fit.text(function["name"]))
        parts.append(model.tool_call(id, name, words_of(arguments), custom=custom, extensions=kept))
    return parts


def made_id(ctx: t.Context, candidate: int, number: int) -> str:
    """An id for a call that came without one: always the same for the same place in the same exchange."""
    return f"call_{candidate}_{number}_{ctx.request_id}"

"""The unified model with defaults: builders for answers and readers for requests.

The generated classes require every field; these only the needed ones.
"""

from typing import Any, Iterable, Optional, Union

from componentize_py_types import Err
from wit_world.imports import types as t

from . import wire

Kind = Union[str, t.ErrorKind]


def fail(
    kind: Kind,
    message: str,
    *,
    status: Optional[int] = None,
    code: Optional[str] = None,
    param: Optional[str] = None,
    retry_after_ms: Optional[int] = None,
) -> Err:
    """An error of the contract, to raise: `raise fail("unsupported", "no tools here", param="tools")`."""
    return Err(t.Error(kind, message, status, code, param, retry_after_ms))  # type: ignore[arg-type]


def unreadable(message: str) -> Err:
    """The error for a provider's answer that cannot be parsed."""
    return fail("upstream", message)


# ---- Context -----------------------------------------------------------------------------------------------------------


def option(ctx: t.Context, key: str, default: Any = None) -> Any:
    """The value of one of the target's options."""
    for setting in ctx.options:
        if setting.key == key:
            return wire.read(setting.json)
    return default


def header(headers: Iterable[t.Header], name: str) -> Optional[str]:
    """The value of a header; names are in lower case."""
    return next((header.value for header in headers if header.name == name), None)


def body_text(body: t.Body) -> str:
    """A body as text."""
    if isinstance(body, t.Body_Text):
        return body.value
    return bytes(body.value).decode("utf-8", "replace")


def answer_json(response: t.HttpResponse) -> Any:
    """A whole answer's JSON; raises an error of kind `upstream` if it is not JSON."""
    try:
        return wire.read(body_text(response.body))
    except ValueError as error:
        raise unreadable(f"the provider's answer is not readable: {error}") from None


# ---- Requests upstream -------------------------------------------------------------------------------------------------


def get(path: str, *, query: Iterable[t.Header] = (), headers: Iterable[t.Header] = ()) -> t.HttpRequest:
    """A request without a body."""
    return t.HttpRequest("GET", path, list(query), list(headers), t.Body_Text(""))


def post(path: str, body: str, *, query: Iterable[t.Header] = (), headers: Iterable[t.Header] = ()) -> t.HttpRequest:
    """A request with JSON text."""
    return t.HttpRequest("POST", path, list(query), list(headers), t.Body_Text(body))


def rendered(
    request: t.HttpRequest,
    losses: Iterable[t.Loss] = (),
    memo: str = "",
    framing: Optional[t.Framing] = None,
) -> t.RenderedRequest:
    """A request for the provider."""
    return t.RenderedRequest(request, list(losses), memo, framing)


# ---- Parts of answers --------------------------------------------------------------------------------------------------


def text(words: str, *, citations: Iterable[t.Citation] = (), extensions: Iterable[t.Extension] = ()) -> t.Part_Text:
    """A part of text."""
    return t.Part_Text(t.TextPart(words, list(citations), None, None, list(extensions)))


def refusal(words: str) -> t.Part_Refusal:
    """A part with a refusal."""
    return t.Part_Refusal(words)


def reasoning(
    words: Optional[str],
    *,
    id: Optional[str] = None,
    signature: Optional[t.Signature] = None,
    encrypted: Optional[t.Signature] = None,
    extensions: Iterable[t.Extension] = (),
) -> t.Part_Reasoning:
    """A part with the model's thinking."""
    return t.Part_Reasoning(t.ReasoningPart(id, words, signature, encrypted, list(extensions)))


def tool_call(
    id: str,
    name: str,
    arguments: str,
    *,
    custom: bool = False,
    signature: Optional[t.Signature] = None,
    extensions: Iterable[t.Extension] = (),
) -> t.Part_ToolCall:
    """A call for the client to carry out."""
    kind = t.ToolKind.CUSTOM if custom else t.ToolKind.FUNCTION
    return t.Part_ToolCall(t.ToolCall(id, name, kind, arguments, signature, None, list(extensions)))


def citation(
    *,
    url: Optional[str] = None,
    title: Optional[str] = None,
    quote: Optional[str] = None,
    start: Optional[int] = None,
    end: Optional[int] = None,
    source: Optional[t.Opaque] = None,
) -> t.Citation:
    """A source for a piece of text."""
    return t.Citation(url, title, quote, start, end, source)


def extension(format: str, key: str, value: Any) -> t.Extension:
    """A member that the unified model does not have."""
    return t.Extension(format, key, wire.whole(value))


def extensions(format: str, rest: dict) -> list[t.Extension]:
    """Members that the unified model does not have; null ones are skipped."""
    return [extension(format, key, value) for key, value in rest.items() if value is not None]


def find_extension(extensions: Iterable[t.Extension], format: str, key: str) -> Optional[str]:
    """The JSON of an extension; None if there is none."""
    return next((e.json for e in extensions if e.format == format and e.key == key), None)


# ---- Answers -----------------------------------------------------------------------------------------------------------


def usage(
    *,
    input: Optional[int] = None,
    output: Optional[int] = None,
    cache_read: Optional[int] = None,
    cache_write: Optional[int] = None,
    cache_write_hour: Optional[int] = None,
    reasoning: Optional[int] = None,
    input_audio: Optional[int] = None,
    input_image: Optional[int] = None,
    output_audio: Optional[int] = None,
    output_image: Optional[int] = None,
    units: Iterable[t.UnitCount] = (),
    service_tier: Optional[str] = None,
    batch: Optional[bool] = None,
    region: Optional[str] = None,
    extensions: Iterable[t.Extension] = (),
) -> t.Usage:
    """Token counts in disjoint buckets, and units: `units=[unit("search", 2)]`."""
    return t.Usage(
        input=input,
        input_audio=input_audio,
        input_image=input_image,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_hour=cache_write_hour,
        output=output,
        output_audio=output_audio,
        output_image=output_image,
        reasoning=reasoning,
        units=list(units),
        service_tier=service_tier,
        batch=batch,
        region=region,
        extensions=list(extensions),
    )


def unit(name: Union[str, t.Unit], count: float) -> t.UnitCount:
    """A number of units that are billed by the piece: `search`, `tool-run`, `image`, ..."""
    kind = t.Unit[name.upper().replace("-", "_")] if isinstance(name, str) else name
    return t.UnitCount(kind, count)


def input_total(usage: t.Usage) -> Optional[int]:
    """All input tokens, cached or not; None if no count is known."""
    return _total(usage.input, usage.input_audio, usage.input_image, usage.cache_read, cache_write_total(usage))


def output_total(usage: t.Usage) -> Optional[int]:
    """All output tokens, reasoning included; None if no count is known."""
    return _total(usage.output, usage.output_audio, usage.output_image, usage.reasoning)


def cache_write_total(usage: t.Usage) -> Optional[int]:
    """Input tokens written to a cache for any time; None if no count is known."""
    return _total(usage.cache_write, usage.cache_write_hour)


def _total(*buckets: Optional[int]) -> Optional[int]:
    known = [bucket for bucket in buckets if bucket is not None]
    return min(sum(known), 0xFFFFFFFF) if known else None


def finish(reason: Union[str, t.FinishReason], raw: Optional[str] = None, stop: Optional[str] = None) -> t.Finish:
    """The reason why an answer ended: `complete`, `length`, `tool-calls`, ..."""
    return t.Finish(reason, raw, stop)  # type: ignore[arg-type]


def candidate(
    index: int,
    parts: Iterable[Any],
    finish: Optional[t.Finish] = None,
    *,
    logprobs: Optional[str] = None,
    extensions: Iterable[t.Extension] = (),
) -> t.Candidate:
    """A candidate of an answer."""
    return t.Candidate(index, list(parts), finish, logprobs, list(extensions))


def response(
    id: str,
    candidates: Iterable[t.Candidate],
    *,
    model: Optional[str] = None,
    created_ms: Optional[float] = None,
    usage: Optional[t.Usage] = None,
    service_tier: Optional[str] = None,
    extensions: Iterable[t.Extension] = (),
) -> t.ChatResponse:
    """A whole answer."""
    return t.ChatResponse(id, model, created_ms, list(candidates), usage, service_tier, list(extensions))


# ---- Events ------------------------------------------------------------------------------------------------------------


def start(
    id: str,
    *,
    model: Optional[str] = None,
    created_ms: Optional[float] = None,
    service_tier: Optional[str] = None,
    extensions: Iterable[t.Extension] = (),
) -> t.ChatEvent_Start:
    """The event that starts a streamed answer."""
    return t.ChatEvent_Start(t.ResponseStart(id, model, created_ms, service_tier, list(extensions)))


def part_start(candidate: int, part: int, kind: Any) -> t.ChatEvent_PartStart:
    """The event that starts a part; `kind` is one of `PartKind_Text()`, `tool_start(...)`, ..."""
    return t.ChatEvent_PartStart(t.PartStart(candidate, part, kind))


def tool_start(
    id: str, name: str, *, custom: bool = False, signature: Optional[t.Signature] = None
) -> t.PartKind_ToolCall:
    """The kind of a part that is a tool call."""
    kind = t.ToolKind.CUSTOM if custom else t.ToolKind.FUNCTION
    return t.PartKind_ToolCall(t.ToolStart(id, name, kind, signature))


def delta(candidate: int, part: int, words: str) -> t.ChatEvent_Delta:
    """The event with more text of a part."""
    return t.ChatEvent_Delta(t.PartDelta(candidate, part, words))


def as_delta(event: Any) -> Any:
    """An `argument` event as a delta, any other event unchanged. For encoders of formats without argument paths:
    `for event in map(as_delta, events)`."""
    if isinstance(event, t.ChatEvent_Argument):
        return delta(event.value.candidate, event.value.part, event.value.text)
    return event


def part_stop(candidate: int, part: int, extensions: Iterable[t.Extension] = ()) -> t.ChatEvent_PartStop:
    """The event that ends a part."""
    return t.ChatEvent_PartStop(t.PartStop(candidate, part, list(extensions)))


def finished(candidate: int, finish: t.Finish) -> t.ChatEvent_Finish:
    """The event that ends a candidate."""
    return t.ChatEvent_Finish(t.CandidateFinish(candidate, finish))

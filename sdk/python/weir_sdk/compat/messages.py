"""Renders messages. One message of the unified model may become several, since tool results are separate messages here.
"""

from typing import Any, Optional

from wit_world.imports import types as t

from .. import model
from ..wire import Raw
from .quirks import FORMAT


def write(writer: Any, messages: list[t.Message]) -> list[dict]:
    """Renders all messages of a request."""
    out: list[dict] = []
    lifted: list[t.MediaPart] = []
    for at, message in enumerate(messages):
        field = f"messages[{at}]"
        results = [part.value for part in message.parts if isinstance(part, t.Part_ToolResult)]
        out += [_tool(writer, field, result, lifted) for result in results]
        if results and len(results) == len(message.parts):
            writer.losses.foreign(field + ".", message.extensions, FORMAT)
            continue
        _put_lifted(writer, lifted, out)
        if isinstance(message.role, t.Role_Assistant):
            out.append(_assistant(writer, field, message, lifted))
        else:
            out += _speaker(writer, field, message)
    _put_lifted(writer, lifted, out)
    return out


def _put_lifted(writer: Any, lifted: list[t.MediaPart], out: list[dict]) -> None:
    """Adds a user message with media that their own messages cannot contain."""
    if lifted:
        pieces = [_media(writer, "messages[].content[]", media) for media in lifted]
        out.append({"role": "user", "content": _content(writer, "messages[]", pieces)})
        lifted.clear()


def _role(writer: Any, role: t.Role) -> str:
    match role:
        case t.Role_System():
            return "system"
        case t.Role_Developer():
            return "developer" if writer.quirks.developer_role else "system"
        case t.Role_Other(name):
            return name
        case _:
            return "user"


def _speaker(writer: Any, field: str, message: t.Message) -> list[dict]:
    """Writes a message of a role that has only content."""
    pieces: list[Any] = []
    foreign = False
    for at, part in enumerate(message.parts):
        place = f"{field}.content[{at}]"
        match part:
            case t.Part_Text(text):
                pieces.append(_text(writer, place, text))
            case t.Part_Media(media):
                pieces.append(_media(writer, place, media))
            case t.Part_Refusal(words):
                pieces.append({"type": "text", "text": words})
            case t.Part_Opaque(opaque) if opaque.format == FORMAT:
                pieces.append(Raw(opaque.json))
            case t.Part_Opaque(opaque):
                foreign = True
                writer.losses.dropped(place, opaque.kind)
            case t.Part_Reasoning():
                _lose_thinking(writer, field)
            case t.Part_ToolCall():
                writer.refuse(place, "only the assistant calls tools")
    if foreign and not pieces:
        writer.refuse(f"{field}.content", "nothing in it is known to this provider")
    head = {"role": _role(writer, message.role)} | _name(writer, field, message)
    tail = writer.own(field + ".", message.extensions)
    # One message for each block: joining blocks would put words together that their author did not.
    blocks = [[piece] for piece in pieces] if _in_blocks(writer, message, pieces) else [pieces]
    return [head | {"content": _content(writer, field, block)} | tail for block in blocks]


def _in_blocks(writer: Any, message: t.Message, pieces: list) -> bool:
    system = isinstance(message.role, (t.Role_System, t.Role_Developer))
    return system and not writer.quirks.text_lists and len(pieces) > 1


def _name(writer: Any, field: str, message: t.Message) -> dict:
    if message.name is None or writer.quirks.speaker_names:
        return {"name": message.name}
    writer.losses.dropped(f"{field}.name", "speakers have no names here")
    return {}


def _assistant(writer: Any, field: str, message: t.Message, lifted: list) -> dict:
    pieces: list[Any] = []
    calls: list[dict] = []
    thoughts: list[t.ReasoningPart] = []
    refusal: Optional[str] = None
    for at, part in enumerate(message.parts):
        place = f"{field}.content[{at}]"
        match part:
            case t.Part_Text(text):
                pieces.append(_text(writer, place, text))
                if text.signature is not None:
                    writer.losses.dropped(f"{field}.extra_content", "it returns to its issuer only")
            case t.Part_ToolCall(call):
                calls.append(_call(writer, field, call))
            case t.Part_Refusal(words):
                refusal = words
            case t.Part_Reasoning(thought):
                thoughts.append(thought)
            case t.Part_Media(media):
                lifted.append(media)
            case t.Part_Opaque(opaque) if opaque.format == FORMAT:
                pieces.append(Raw(opaque.json))
            case t.Part_Opaque(opaque):
                writer.losses.dropped(place, opaque.kind)
    silent = not pieces and (calls or refusal is not None)
    out = {"role": "assistant"} | _name(writer, field, message)
    out["content"] = Raw("null") if silent else _content(writer, field, pieces)
    out["refusal"] = refusal
    out |= _thinking(writer, field, thoughts)
    out["tool_calls"] = calls or None
    return out | writer.own(field + ".", message.extensions)


def _thinking(writer: Any, field: str, thoughts: list[t.ReasoningPart]) -> dict:
    """Renders the history's thinking."""
    if not thoughts:
        return {}
    if not writer.quirks.thinking:
        _lose_thinking(writer, field)
        return {}
    if any(thought.signature or thought.encrypted for thought in thoughts):
        writer.losses.dropped(f"{field}.reasoning_details", "opaque values return to their issuer only")
    words = "".join(thought.text or "" for thought in thoughts)
    return {writer.quirks.thinking: words} if words else {}


def _lose_thinking(writer: Any, field: str) -> None:
    # Reported once a request: a long history would fill the losses with the same line.
    if not writer.thinking_lost:
        writer.thinking_lost = True
        writer.losses.dropped(f"{field}.reasoning_content", "thinking has no place in this history")


def _call(writer: Any, field: str, call: t.ToolCall) -> dict:
    place = f"{field}.tool_calls[]"
    if call.kind == t.ToolKind.CUSTOM:
        writer.refuse(f"{field}.tool_calls", "custom tools are not taken by this provider")
    if call.signature is not None:
        writer.losses.dropped(f"{place}.signature", "it returns to its issuer only")
    writer.cache_lost(place, call.cache)
    arguments = call.arguments if call.arguments.strip() else "{}"
    function = {"name": writer.names.send(call.name), "arguments": arguments}
    own = writer.own(place + ".", call.extensions)
    return {"id": writer.quirks.tool_ids.fit(call.id), "type": "function", "function": function} | own


def _tool(writer: Any, field: str, result: t.ToolResult, lifted: list) -> dict:
    pieces: list[Any] = []
    for at, part in enumerate(result.content):
        place = f"{field}.content[{at}]"
        match part:
            case t.ResultPart_Text(text):
                pieces.append(_text(writer, place, text))
            case t.ResultPart_Json(json):
                pieces.append({"type": "text", "text": json})
            case t.ResultPart_Media(media):
                pieces.append({"type": "text", "text": "[see the next user message]"})
                writer.losses.approximated(place, "moved to a user message of its own")
                lifted.append(media)
            case t.ResultPart_Opaque(opaque) if opaque.format == FORMAT:
                pieces.append(Raw(opaque.json))
            case _:
                writer.refuse(place, "this part of a tool's result belongs to another format")
    if result.is_error:
        writer.losses.dropped(f"{field}.is_error", "there is no place for it")
    writer.cache_lost(field, result.cache)
    head = {"role": "tool", "tool_call_id": writer.quirks.tool_ids.fit(result.call_id), "name": result.name}
    head["content"] = _content(writer, field, pieces)
    return head | writer.own(field + ".", result.extensions)


def _content(writer: Any, field: str, pieces: list) -> Any:
    """Writes content as one string if that loses nothing, else as a list."""
    if not pieces:
        return ""
    plain = all(isinstance(piece, dict) and len(piece) == 2 and "text" in piece for piece in pieces)
    if plain and len(pieces) == 1:
        return pieces[0]["text"]
    if plain and not writer.quirks.text_lists:
        writer.losses.approximated(f"{field}.content", "several texts are joined")
        return "\n".join(piece["text"] for piece in pieces)
    return pieces


def _text(writer: Any, field: str, text: t.TextPart) -> dict:
    writer.cache_lost(field, text.cache)
    return {"type": "text", "text": text.text} | writer.own(field + ".", text.extensions)


def _media(writer: Any, field: str, media: t.MediaPart) -> dict:
    source = media.source
    if isinstance(source, t.MediaSource_Text):
        writer.losses.approximated(field, "a text document is sent as text")
        name = f"{media.name}\n" if media.name else ""
        return {"type": "text", "text": name + source.value}
    if media.kind != t.MediaKind.IMAGE or not writer.quirks.images or isinstance(source, t.MediaSource_FileId):
        writer.refuse(field, "this provider does not take such media in chat")
    if isinstance(source, t.MediaSource_Base64):
        url = f"data:{media.mime or _sniffed(writer.ctx, source.value)};base64,{source.value}"
    elif writer.quirks.image_urls:
        url = source.value
    else:
        # The host fetches the bytes, if the operator allows it, and renders the request again.
        raise model.fail("unsupported", "this provider takes images as bytes only", code="media_url", param=field)
    writer.cache_lost(field, media.cache)
    image = {"url": url, "detail": _detail(writer, field, media)}
    return {"type": "image_url", "image_url": image} | writer.own(field + ".", media.extensions)


def _detail(writer: Any, field: str, media: t.MediaPart) -> Optional[str]:
    """The level of an image's detail. OpenAI's Responses have one above the highest here."""
    if media.detail != "original":
        return media.detail
    writer.losses.clamped(f"{field}.detail", "`high` is the highest level here")
    return "high"


def _sniffed(ctx: t.Context, data: str) -> str:
    """The media type that the first bytes show; those of a blob come from the context."""
    head = next((blob.head for blob in ctx.blobs if blob.token == data), data)
    kinds = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
    return next((mime for start, mime in kinds.items() if head.startswith(start)), "image/png")

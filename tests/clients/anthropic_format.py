"""The scripted upstream's Anthropic side: messages, token counts, models, after the public API reference.

Requests are validated like the real API does, so that a translation that is merely plausible does not pass.
"""

import base64
import json
from itertools import count

from script import BREAKING, MODELS, SIGNATURE, Answer, Call, Refused, Seen, Stream, answer, need, pieces

FINISH = {"stop": "end_turn", "calls": "tool_use", "length": "max_tokens", "refused": "refusal"}
KINDS = {
    "rate_limit": "rate_limit_error",
    "authentication": "authentication_error",
    "invalid_request": "invalid_request_error",
    "overloaded": "overloaded_error",
    "not_found": "not_found_error",
}
ids = count(1)
# The requests of each batch.
made: dict[str, list[dict]] = {}


def error(refused: Refused) -> dict:
    """An error body."""
    kind = KINDS[refused.kind]
    return {"type": "error", "error": {"type": kind, "message": refused.message}, "request_id": f"req_{next(ids)}"}


def messages(body: dict) -> dict | list[tuple[str, str] | None]:
    """A whole answer, or the stream's events as names and data."""
    limit = body.get("max_tokens")
    need(isinstance(limit, int) and limit > 0, "max_tokens: field required")
    seen, forced = check(body)
    turn = answer(seen)
    if forced:
        # The older way to a structured answer: a tool that must be called.
        turn = Answer(calls=[Call(forced, turn.text)], finish="calls")
    message = {"id": f"msg_{next(ids)}", "type": "message", "role": "assistant", "model": f"{seen.model}-2026-01-01"}
    end = {"stop_reason": FINISH[turn.finish], "stop_sequence": None}
    if body.get("stream"):
        return stream(seen.model, turn, message, end)
    return message | {"content": blocks(turn), "usage": usage(turn)} | end


def batches(method: str, path: str, body: dict, origin: str) -> dict | Stream:
    """A batch, which is done at once, all, or the results; `origin` is the address that was asked."""
    _, _, rest = path.partition("/batches")
    batch, _, what = rest.removeprefix("/").partition("/")
    if method == "POST" and not batch:
        batch = f"msgbatch_{next(ids)}"
        made[batch] = body["requests"]
    if not batch:
        listed = [about(batch, origin) for batch in made]
        return {"data": listed, "has_more": False, "first_id": None, "last_id": None}
    if batch not in made:
        raise Refused(404, "not_found", f"there is no {batch}")
    if what != "results":
        return about(batch, origin)
    lines = [
        {"custom_id": it["custom_id"], "result": {"type": "succeeded", "message": messages(it["params"])}}
        for it in made[batch]
    ]
    return Stream("application/x-jsonl", [f"{json.dumps(line)}\n".encode() for line in lines])


def about(batch: str, origin: str) -> dict:
    counts = {"processing": 0, "succeeded": len(made[batch]), "errored": 0, "canceled": 0, "expired": 0}
    times = dict.fromkeys(("created_at", "expires_at", "ended_at"), "2026-01-01T00:00:00Z")
    nothing = {"archived_at": None, "cancel_initiated_at": None}
    state = {"processing_status": "ended", "request_counts": counts}
    url = f"{origin}/v1/messages/batches/{batch}/results"
    return {"id": batch, "type": "message_batch", "results_url": url} | state | times | nothing


def blocks(turn: Answer) -> list[dict]:
    out = []
    if turn.thinking is not None:
        out.append({"type": "thinking", "thinking": turn.thinking, "signature": SIGNATURE})
    if turn.text:
        out.append({"type": "text", "text": turn.text})
    for call in turn.calls:
        use = {"type": "tool_use", "id": f"toolu_{next(ids)}", "name": call.name}
        out.append(use | {"input": json.loads(call.arguments)})
    return out


def usage(turn: Answer) -> dict:
    return {
        "input_tokens": turn.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": turn.cached,
        "output_tokens": turn.output + turn.reasoning,
        "service_tier": "standard",
    }


def stream(model: str, turn: Answer, message: dict, end: dict) -> list[tuple[str, str] | None]:
    """The events; `None` at the end breaks the connection."""

    def event(kind: str, **members) -> tuple[str, str]:
        return kind, json.dumps({"type": kind} | members, ensure_ascii=False)

    nothing = {"content": [], "stop_reason": None, "stop_sequence": None}
    out = [event("message_start", message=message | nothing | {"usage": usage(turn) | {"output_tokens": 1}})]
    for index, block in enumerate(blocks(turn)):
        begin, deltas = parts(block, turn)
        out.append(event("content_block_start", index=index, content_block=begin))
        out += [event("ping")] if index == 0 else []
        out += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
        if model in BREAKING:
            failure = Refused(529, "overloaded", "the machine went away")
            return out[:4] + [("error", json.dumps(error(failure))) if model == "errs" else None]
        out.append(event("content_block_stop", index=index))
    out.append(event("message_delta", delta=end, usage=usage(turn)))
    return out + [event("message_stop")]


def parts(block: dict, turn: Answer) -> tuple[dict, list[dict]]:
    """The start of a block, and its deltas."""
    kind = block["type"]
    if kind == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": it} for it in pieces(block["text"])]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": it} for it in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {"type": "thinking", "thinking": "", "signature": ""}, deltas
    arguments = next(it.arguments for it in turn.calls if json.loads(it.arguments) == block["input"])
    deltas = [{"type": "input_json_delta", "partial_json": it} for it in ["", *pieces(arguments)]]
    return block | {"input": {}}, deltas


def check(body: dict) -> tuple[Seen, str | None]:
    """Validates a request and reads the values that the script needs; returns them with the tool that is forced for a
    structured answer.
    """
    seen = Seen(model=body.get("model", ""))
    need(isinstance(body.get("messages"), list) and body["messages"], "messages: field required")
    need(body["messages"][0].get("role") == "user", "the first message must be the user's")
    system = body.get("system", "")
    need(isinstance(system, str) or all(it["type"] == "text" for it in system), "system: must be a text or text blocks")
    open_calls: list[str] = []
    for message in body["messages"]:
        need(message.get("role") in {"user", "assistant"}, f"role {message.get('role')!r}")
        content = message["content"]
        content = [{"type": "text", "text": content}] if isinstance(content, str) else content
        need(isinstance(content, list), "content must be a text or a list of blocks")
        seen.results = []
        uses = [block["id"] for block in content if block["type"] == "tool_use"]
        need(not uses or message["role"] == "assistant", "only the assistant uses tools")
        read_blocks(content, open_calls, seen)
        need(not open_calls, f"tool_use ids without a tool_result right after: {open_calls}")
        open_calls = uses
    need(not open_calls, f"tool_use ids without a tool_result right after: {open_calls}")
    thought(body)
    return seen, tools(body, seen)


def read_blocks(content: list[dict], open_calls: list[str], seen: Seen):
    for block in content:
        kind = block["type"]
        if kind == "tool_result":
            need(block.get("tool_use_id") in open_calls, "a tool_result must answer a tool_use of the message before")
            open_calls.remove(block["tool_use_id"])
            inner = block.get("content", "")
            seen.results.append(inner if isinstance(inner, str) else "".join(it.get("text", "") for it in inner))
        elif kind in {"image", "document"}:
            seen.media.append(medium(block["source"], kind))
        elif kind == "thinking":
            need(block.get("signature") == SIGNATURE, "the thinking block's signature is wrong")
        elif kind == "text":
            need(block["text"], "text content blocks must be non-empty")
        elif kind == "tool_use":
            need(isinstance(block["input"], dict), "input must be an object")
        else:
            need(False, f"block of type {kind!r}")


def medium(source: dict, kind: str) -> str:
    if source["type"] == "url":
        return f"{kind} {source['url']}"
    need(source["type"] == "base64", f"source of type {source['type']!r}")
    return f"{source['media_type']} {len(base64.b64decode(source['data'], validate=True))} bytes"


def thought(body: dict):
    thinking = body.get("thinking") or {"type": "disabled"}
    if thinking["type"] == "enabled":
        budget = thinking.get("budget_tokens", 0)
        need(1024 <= budget < body.get("max_tokens", 1 << 30), "budget_tokens: at least 1024, and below max_tokens")


def tools(body: dict, seen: Seen) -> str | None:
    """Validates the tools; returns the name of the one that is forced for a structured answer, if any."""
    choice = body.get("tool_choice") or {}
    for tool in body.get("tools", []):
        need(tool.get("name"), "a tool needs a name")
        need(tool.get("input_schema", {}).get("type") == "object", "input_schema must be an object's schema")
        seen.tools = True
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    if form.get("type") == "json_schema":
        seen.schema = "celsius" in form["schema"].get("properties", {})
        return None
    forced = [it for it in body.get("tools", []) if choice.get("type") in {"any", "tool"} and seen.model == "schema"]
    seen.schema = any("celsius" in it["input_schema"].get("properties", {}) for it in forced)
    return forced[0]["name"] if seen.schema else None


def count_tokens(body: dict) -> dict:
    """A hundred tokens, and one for each message."""
    check(body)
    return {"input_tokens": 100 + len(body["messages"])}


def info(name: str) -> dict:
    shown = {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-01-01T00:00:00Z"}
    return shown | {"lifecycle": "active"}


def models() -> dict:
    data = [info(name) for name in MODELS]
    return {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}


def model(name: str) -> dict:
    if name not in MODELS:
        raise Refused(404, "not_found", f"there is no model {name!r}")
    return info(name)

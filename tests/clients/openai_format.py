"""The scripted upstream's OpenAI side: chat completions, embeddings, models, after the public API reference.

Requests are validated like the real API does, so that a translation that is merely plausible does not pass.
"""

import base64
import json
import struct
from itertools import count

from script import BREAKING, MODELS, Answer, Refused, Seen, answer, need, pieces, vectors

FINISH = {"stop": "stop", "calls": "tool_calls", "length": "length", "refused": "content_filter"}
KINDS = {
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "invalid_request": ("invalid_request_error", None),
    "overloaded": ("server_error", None),
    "not_found": ("invalid_request_error", "model_not_found"),
}
ROLES = {"developer", "system", "user", "assistant", "tool"}
ids = count(1)


def error(refused: Refused) -> dict:
    """An error body."""
    kind, code = KINDS[refused.kind]
    return {"error": {"message": refused.message, "type": kind, "param": None, "code": code}}


def chat(body: dict) -> dict | list[str]:
    """A whole answer, or the data of the stream's events."""
    seen = check(body)
    turn = answer(seen)
    head = {"id": f"chatcmpl-{next(ids)}", "created": 1700000000, "model": f"{seen.model}-2026-01-01"}
    if body.get("stream"):
        wants_usage = (body.get("stream_options") or {}).get("include_usage", False)
        return stream(seen.model, turn, head | {"object": "chat.completion.chunk"}, wants_usage)
    message = {"role": "assistant", "content": turn.text or None, "refusal": None, "annotations": []}
    if turn.calls:
        message["tool_calls"] = [call | {"id": f"call_{next(ids)}"} for call in calls(turn)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[turn.finish]}
    return head | {"object": "chat.completion", "choices": [choice], "usage": usage(turn), "service_tier": "default"}


def calls(turn: Answer) -> list[dict]:
    return [{"type": "function", "function": {"name": it.name, "arguments": it.arguments}} for it in turn.calls]


def usage(turn: Answer) -> dict:
    prompt, completion = turn.input + turn.cached, turn.output + turn.reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": turn.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": turn.reasoning, "audio_tokens": 0},
    }


def stream(model: str, turn: Answer, head: dict, wants_usage: bool) -> list[str]:
    """The chunks as texts; `None` at the end breaks the connection."""
    head = head | ({"usage": None} if wants_usage else {})

    def chunk(delta: dict, finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return json.dumps(head | {"choices": [choice]}, ensure_ascii=False)

    out = [chunk({"role": "assistant", "content": "", "refusal": None})]
    out += [chunk({"content": piece}) for piece in pieces(turn.text)]
    if model in BREAKING:
        failure = Refused(500, "overloaded", "the machine went away")
        return out[:3] + [json.dumps(error(failure)) if model == "errs" else None]
    for index, call in enumerate(calls(turn)):
        arguments = call["function"].pop("arguments")
        first = call | {"index": index, "id": f"call_{next(ids)}"}
        first["function"] |= {"arguments": ""}
        out.append(chunk({"tool_calls": [first]}))
        out += [chunk({"tool_calls": [{"index": index, "function": {"arguments": it}}]}) for it in pieces(arguments)]
    out.append(chunk({}, FINISH[turn.finish]))
    if wants_usage:
        out.append(json.dumps(head | {"choices": [], "usage": usage(turn)}))
    return out + ["[DONE]"]


def check(body: dict) -> Seen:
    """Validates a request and reads the values that the script needs."""
    seen = Seen(model=body.get("model", ""))
    need(isinstance(body.get("messages"), list) and body["messages"], "messages must be a list")
    need("stream_options" not in body or body.get("stream"), "stream_options is for streams")
    open_calls: list[str] = []
    for message in body["messages"]:
        need(message.get("role") in ROLES, f"role {message.get('role')!r}")
        if message["role"] == "tool":
            need(message.get("tool_call_id") in open_calls, "a tool message must answer a tool call")
            open_calls.remove(message["tool_call_id"])
            seen.results.append(text(message["content"], seen))
            continue
        need(not open_calls, f"tool calls without an answer: {open_calls}")
        seen.results = []
        if message.get("content") is not None:
            text(message["content"], seen)
        for call in message.get("tool_calls", []):
            need(message["role"] == "assistant", "only the assistant calls tools")
            need(isinstance(json.loads(call["function"]["arguments"]), dict), "arguments must be an object")
            open_calls.append(call["id"])
    need(not open_calls, f"tool calls without an answer: {open_calls}")
    for tool in body.get("tools", []):
        need(tool.get("type") == "function" and tool["function"].get("name"), "a tool needs a function with a name")
        need(tool["function"].get("parameters", {}).get("type") == "object", "parameters must be an object's schema")
        seen.tools = True
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form.get("json_schema") or {}
        need(schema.get("name") and isinstance(schema.get("schema"), dict), "json_schema needs a name and a schema")
        seen.schema = "celsius" in schema["schema"].get("properties", {})
    return seen


def text(content, seen: Seen) -> str:
    """A content's text; media are added to `seen`."""
    if isinstance(content, str):
        return content
    need(isinstance(content, list), "content must be a text or a list of parts")
    out = []
    for part in content:
        kind = part.get("type")
        if kind == "text":
            out.append(part["text"])
        elif kind == "image_url":
            seen.media.append(medium(part["image_url"]["url"], "image"))
        elif kind == "file":
            need(part["file"].get("filename"), "file_data needs a filename")
            seen.media.append(medium(part["file"]["file_data"], "document"))
        else:
            need(False, f"part of type {kind!r}")
    return "".join(out)


def medium(url: str, kind: str) -> str:
    if not url.startswith("data:"):
        return f"{kind} {url}"
    head, data = url.removeprefix("data:").split(";base64,")
    return f"{head} {len(base64.b64decode(data, validate=True))} bytes"


def embeddings(body: dict) -> dict:
    """Vectors as numbers, or as their bytes."""
    need(body.get("model") == "embed", f"{body.get('model')!r} does not embed")
    inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
    embeddings = vectors(inputs)
    if body.get("encoding_format") == "base64":
        embeddings = [base64.b64encode(struct.pack("<3f", *it)).decode() for it in embeddings]
    data = [{"object": "embedding", "index": at, "embedding": it} for at, it in enumerate(embeddings)]
    return {"object": "list", "data": data, "model": "embed", "usage": {"prompt_tokens": 8, "total_tokens": 8}}


def models() -> dict:
    data = [{"id": it, "object": "model", "created": 1700000000, "owned_by": "script"} for it in MODELS]
    return {"object": "list", "data": data}


def model(name: str) -> dict:
    if name not in MODELS:
        raise Refused(404, "not_found", f"there is no model {name!r}")
    return {"id": name, "object": "model", "created": 1700000000, "owned_by": "script"}

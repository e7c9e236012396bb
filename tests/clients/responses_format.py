"""The scripted upstream's side of OpenAI's responses, after the public API reference."""

import json
from itertools import count

from script import BREAKING, Answer, Seen, answer, need, pieces

ENDS = {"length": "max_output_tokens", "refused": "content_filter"}
ids = count(1)
# The answers by their ids: later requests may refer to them.
stored: dict[str, dict] = {}


def responses(body: dict) -> dict | list:
    """A whole answer, or the stream's events."""
    seen = check(body)
    turn = answer(seen)
    head = {"id": f"resp_{next(ids)}", "object": "response", "created_at": 1700000000, "model": f"{seen.model}-2026-01-01"}
    head |= {"error": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    if body.get("stream"):
        return stream(seen.model, turn, head)
    return head | {"output": items(turn)} | end(turn)


def end(turn: Answer) -> dict:
    reason = ENDS.get(turn.finish)
    status = {"status": "incomplete" if reason else "completed"}
    return status | {"incomplete_details": reason and {"reason": reason}, "usage": usage(turn)}


def usage(turn: Answer) -> dict:
    prompt, completion = turn.input + turn.cached, turn.output + turn.reasoning
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": turn.cached},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": turn.reasoning},
        "total_tokens": prompt + completion,
    }


def items(turn: Answer) -> list[dict]:
    out = []
    if turn.text:
        content = [{"type": "output_text", "text": turn.text, "annotations": []}]
        out.append({"id": f"msg_{next(ids)}", "type": "message", "role": "assistant", "content": content})
    for call in turn.calls:
        names = {"call_id": f"call_{next(ids)}", "name": call.name, "arguments": call.arguments}
        out.append({"id": f"fc_{next(ids)}", "type": "function_call"} | names)
    out = [item | {"status": "completed"} for item in out]
    stored.update((item["id"], item) for item in out)
    return out


def stream(model: str, turn: Answer, head: dict) -> list:
    """The events, numbered; `None` at the end breaks the connection."""
    open_head = head | {"status": "in_progress", "incomplete_details": None, "usage": None, "output": []}
    whole = items(turn)
    out = [("response.created", {"response": open_head}), ("response.in_progress", {"response": open_head})]
    for at, item in enumerate(whole):
        out += message(item, at) if item["type"] == "message" else call(item, at)
    if model in BREAKING:
        failure = {"error": {"code": "server_error", "message": "the machine went away"}, "status": "failed"}
        failed = ("response.failed", {"response": open_head | failure})
        return numbered(out[:6] + ([failed] if model == "errs" else [])) + ([] if model == "errs" else [None])
    last = end(turn)
    return numbered([*out, (f"response.{last['status']}", {"response": head | {"output": whole} | last})])


def numbered(events: list[tuple[str, dict]]) -> list:
    texts = [{"type": kind, "sequence_number": at} | members for at, (kind, members) in enumerate(events)]
    return [(it["type"], json.dumps(it, ensure_ascii=False)) for it in texts]


def message(item: dict, at: int) -> list[tuple[str, dict]]:
    place = {"item_id": item["id"], "output_index": at, "content_index": 0}
    (part,) = item["content"]
    begun = {"output_index": at, "item": item | {"content": [], "status": "in_progress"}}
    out = [("response.output_item.added", begun)]
    out.append(("response.content_part.added", place | {"part": part | {"text": ""}}))
    deltas = [place | {"delta": it, "logprobs": []} for it in pieces(part["text"])]
    out += [("response.output_text.delta", it) for it in deltas]
    out.append(("response.output_text.done", place | {"text": part["text"], "logprobs": []}))
    out.append(("response.content_part.done", place | {"part": part}))
    return [*out, ("response.output_item.done", {"output_index": at, "item": item})]


def call(item: dict, at: int) -> list[tuple[str, dict]]:
    place = {"item_id": item["id"], "output_index": at}
    begun = {"output_index": at, "item": item | {"arguments": "", "status": "in_progress"}}
    deltas = [("response.function_call_arguments.delta", place | {"delta": it}) for it in pieces(item["arguments"])]
    done = place | {"arguments": item["arguments"], "name": item["name"]}
    out = [("response.output_item.added", begun), *deltas, ("response.function_call_arguments.done", done)]
    return [*out, ("response.output_item.done", {"output_index": at, "item": item})]


def check(body: dict) -> Seen:
    """Validates a request and reads the values that the script needs."""
    seen = Seen(model=body.get("model", ""))
    given = body.get("input")
    given = [{"role": "user", "content": given}] if isinstance(given, str) else given
    need(isinstance(given, list) and given, "input must be a text or a list of items")
    open_calls: list[str] = []
    for item in given:
        item = stored[item["id"]] if item.get("type") == "item_reference" else item
        kind = item.get("type", "message")
        if kind == "function_call":
            need(isinstance(json.loads(item["arguments"]), dict), "arguments must be an object")
            open_calls.append(item["call_id"])
        elif kind == "function_call_output":
            need(item["call_id"] in open_calls, f"No tool call found for {item['call_id']}")
            open_calls.remove(item["call_id"])
            seen.results.append(item["output"])
        else:
            need(kind == "message" and item.get("role"), f"item of type {kind!r}")
            seen.results = []
    need(not open_calls, f"No tool output found for {open_calls}")
    for tool in body.get("tools") or []:
        need(tool["type"] == "function" and tool["parameters"]["type"] == "object", "a function needs parameters")
        seen.tools = True
    form = (body.get("text") or {}).get("format") or {}
    seen.schema = form.get("type") == "json_schema" and "celsius" in form["schema"].get("properties", {})
    return seen

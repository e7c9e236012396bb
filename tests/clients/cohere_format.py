"""The scripted upstream's Cohere side: chat, embeddings, reranking (all v2), after the public API reference."""

import json
from itertools import count

from script import BREAKING, Answer, Refused, Seen, answer, need, pieces, vectors

FINISH = {"stop": "COMPLETE", "calls": "TOOL_CALL", "length": "MAX_TOKENS", "refused": "ERROR"}
ROLES = {"system", "user", "assistant", "tool"}
ids = count(1)


def error(refused: Refused) -> dict:
    return {"id": f"id-{next(ids)}", "message": refused.message}


def route(path: str, body: dict) -> dict | list:
    """The answer to a path below `/v2/`."""
    if path == "chat":
        return chat(body)
    if path == "embed":
        need(body.get("input_type"), "input_type is required")
        vector = {"float": vectors(body["texts"])}
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 8}}
        return {"id": f"id-{next(ids)}", "embeddings": vector, "texts": body["texts"], "meta": meta}
    if path == "rerank":
        return {"id": f"id-{next(ids)}", "results": ranks(body), "meta": {"billed_units": {"search_units": 1}}}
    raise Refused(404, "not_found", f"there is no {path}")


def ranks(body: dict) -> list[dict]:
    """Ranks longer documents higher."""
    order = sorted(enumerate(body["documents"]), key=lambda it: -len(it[1]))[: body.get("top_n")]
    return [{"index": at, "relevance_score": 1 - 0.25 * rank} for rank, (at, _) in enumerate(order)]


def chat(body: dict) -> dict | list:
    seen = check(body)
    turn = answer(seen)
    message = {"role": "assistant", "content": []}
    if turn.calls:
        message |= {"tool_plan": turn.text, "tool_calls": calls(turn)}
    elif turn.text:
        message["content"].append({"type": "text", "text": turn.text})
    end = {"finish_reason": FINISH[turn.finish], "usage": usage(turn)}
    if not body.get("stream"):
        return {"id": f"id-{next(ids)}", "message": message} | end
    return stream(seen.model, message, end)


def calls(turn: Answer) -> list[dict]:
    shapes = [{"name": it.name, "arguments": it.arguments} for it in turn.calls]
    return [{"id": f"call_{next(ids)}", "type": "function", "function": it} for it in shapes]


def usage(turn: Answer) -> dict:
    tokens = {"input_tokens": turn.input + turn.cached, "output_tokens": turn.output + turn.reasoning}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": turn.cached}


def stream(model: str, message: dict, end: dict) -> list:
    def event(kind: str, **members) -> tuple[str, str]:
        return kind, json.dumps({"type": kind} | members, ensure_ascii=False)

    def of(**message) -> dict:
        return {"message": message}

    empty = of(role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])
    out = [event("message-start", id=f"id-{next(ids)}", delta=empty)]
    for block in message["content"]:
        out.append(event("content-start", index=0, delta=of(content={"type": "text", "text": ""})))
        out += [event("content-delta", index=0, delta=of(content={"text": it})) for it in pieces(block["text"])]
        out.append(event("content-end", index=0))
    if model in BREAKING:
        failed = {"finish_reason": "ERROR", "error": "the machine went away"}
        return out[:4] + [event("message-end", delta=failed) if model == "errs" else None]
    out += [event("tool-plan-delta", delta=of(tool_plan=it)) for it in pieces(message.get("tool_plan", ""))]
    for at, call in enumerate(message.get("tool_calls", [])):
        arguments = call["function"].pop("arguments")
        call["function"]["arguments"] = ""
        out.append(event("tool-call-start", index=at, delta=of(tool_calls=call)))
        deltas = [of(tool_calls={"function": {"arguments": it}}) for it in pieces(arguments)]
        out += [event("tool-call-delta", index=at, delta=it) for it in deltas]
        out.append(event("tool-call-end", index=at))
    return [*out, event("message-end", delta=end)]


def check(body: dict) -> Seen:
    """Validates a request and reads the values that the script needs."""
    seen = Seen(model=body["model"])
    need(isinstance(body.get("messages"), list) and body["messages"], "messages must be at least 1 long")
    open_calls: list[str] = []
    for message in body["messages"]:
        need(message["role"] in ROLES, f"role {message['role']!r}")
        if message["role"] == "tool":
            need(message["tool_call_id"] in open_calls, "a tool message must answer a tool call")
            open_calls.remove(message["tool_call_id"])
            seen.results.append(text(message["content"]))
            continue
        need(not open_calls, f"tool calls without an answer: {open_calls}")
        seen.results = []
        for call in message.get("tool_calls") or []:
            need(isinstance(json.loads(call["function"]["arguments"]), dict), "arguments must be an object")
            open_calls.append(call["id"])
    need(not open_calls, f"tool calls without an answer: {open_calls}")
    for tool in body.get("tools") or []:
        need(tool["function"]["parameters"]["type"] == "object", "parameters must be an object's schema")
        seen.tools = True
    form = body.get("response_format") or {}
    schema = form.get("json_schema") or form.get("schema") or {}
    seen.schema = "celsius" in schema.get("properties", {})
    return seen


def text(content) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] if part["type"] == "text" else part["document"]["data"] for part in content)

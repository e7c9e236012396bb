"""The scripted upstream's Ollama side: chat, generate, embeddings, models, after the public API reference."""

import json

from script import BREAKING, MODELS, Answer, Refused, Seen, Stream, answer, need, pieces, vectors

FINISH = {"stop": "stop", "calls": "stop", "length": "length", "refused": "stop"}
ROLES = {"system", "user", "assistant", "tool"}
CREATED = {"created_at": "2026-01-01T00:00:00.123456789Z"}


def error(refused: Refused) -> dict:
    return {"error": refused.message}


def route(path: str, body: dict) -> dict | Stream:
    """The answer to a path below `/api/`."""
    if path == "tags":
        return {"models": [info(it) for it in MODELS]}
    if path == "version":
        return {"version": "0.13.0"}
    if path == "show":
        need(body["model"] in MODELS, "model not found")
        return {"details": info(body["model"])["details"], "model_info": {}, "capabilities": ["completion", "tools"]}
    if path == "embed":
        inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
        return {"model": body["model"], "embeddings": vectors(inputs), "prompt_eval_count": 8}
    if path == "generate":
        return say(Seen(model=body["model"]), body, lambda message: flat(message))
    if path == "chat":
        return say(check(body), body, lambda message: {"message": {"role": "assistant"} | message})
    raise Refused(404, "not_found", f"there is no {path}")


def flat(message: dict) -> dict:
    thinking = {"thinking": message["thinking"]} if "thinking" in message else {}
    return thinking | {"response": message["content"]}


def say(seen: Seen, body: dict, shape) -> dict | Stream:
    """A whole answer, or its lines; streamed by default."""
    turn = answer(seen)
    head = {"model": seen.model} | CREATED
    end = {"done": True, "done_reason": FINISH[turn.finish]} | usage(turn)
    if body.get("stream") is False:
        whole = {"content": turn.text} | ({} if turn.thinking is None else {"thinking": turn.thinking}) | calls(turn)
        return head | shape(whole) | end
    lines = [head | shape({"content": "", "thinking": it}) | {"done": False} for it in pieces(turn.thinking or "")]
    lines += [head | shape({"content": it}) | {"done": False} for it in pieces(turn.text)]
    lines += [head | shape({"content": ""} | calls(turn)) | {"done": False}] if turn.calls else []
    texts = [(json.dumps(it, ensure_ascii=False) + "\n").encode() for it in [*lines, head | shape({"content": ""}) | end]]
    if seen.model in BREAKING:
        failure = b'{"error":"the machine went away"}\n'
        texts = texts[:3] + [failure if seen.model == "errs" else None]
    return Stream("application/x-ndjson", texts)


def calls(turn: Answer) -> dict:
    made = [{"function": {"name": it.name, "arguments": json.loads(it.arguments)}} for it in turn.calls]
    return {"tool_calls": made} if made else {}


def usage(turn: Answer) -> dict:
    times = {"total_duration": 5_000_000, "load_duration": 1_000_000, "eval_duration": 2_000_000}
    return times | {"prompt_eval_count": turn.input + turn.cached, "eval_count": turn.output + turn.reasoning}


def check(body: dict) -> Seen:
    """Validates a request and reads the values that the script needs."""
    seen = Seen(model=body["model"])
    need(isinstance(body.get("messages"), list), "messages must be a list")
    for message in body["messages"]:
        need(message["role"] in ROLES, f"invalid role: {message['role']!r}")
        need(isinstance(message.get("content", ""), str), "content must be a string")
        seen.results = [*seen.results, message["content"]] if message["role"] == "tool" else []
        for call in message.get("tool_calls", []):
            need(isinstance(call["function"]["arguments"], dict), "arguments must be an object")
    for tool in body.get("tools") or []:
        need(tool["function"]["parameters"]["type"] == "object", "parameters must be an object's schema")
        seen.tools = True
    form = body.get("format")
    seen.schema = isinstance(form, dict) and "celsius" in form.get("properties", {})
    return seen


def info(name: str) -> dict:
    details = {"format": "gguf", "family": "script", "parameter_size": "8B", "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "modified_at": "2026-01-01T00:00:00Z", "size": 1, "digest": "0", "details": details}

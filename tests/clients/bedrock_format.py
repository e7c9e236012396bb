"""The scripted upstream's Bedrock side: Converse, streamed and whole, and token counts, after the public API reference.
"""

import json
import struct
import zlib
from itertools import count
from urllib.parse import unquote

from script import BREAKING, Answer, Refused, Seen, Stream, answer, need, pieces

FINISH = {"stop": "end_turn", "calls": "tool_use", "length": "max_tokens", "refused": "content_filtered"}
KINDS = {
    "rate_limit": "ThrottlingException",
    "authentication": "AccessDeniedException",
    "invalid_request": "ValidationException",
    "overloaded": "ServiceUnavailableException",
    "not_found": "ResourceNotFoundException",
}
ids = count(1)


def error(refused: Refused) -> dict:
    return {"message": refused.message}


def headers(refused: Refused) -> dict:
    """The header with the kind of an error."""
    return {"x-amzn-errortype": KINDS[refused.kind]}


def route(path: str, body: dict) -> dict | Stream:
    """The answer to a path below `/model/`."""
    name, method = path.rsplit("/", 1)
    name = unquote(name)
    if method == "count-tokens":
        return {"inputTokens": 100 + len(body["input"]["converse"]["messages"])}
    if method not in {"converse", "converse-stream"}:
        raise Refused(404, "not_found", f"there is no {path}")
    turn = answer(check(name, body))
    if method == "converse-stream":
        return stream(name, turn)
    message = {"role": "assistant", "content": blocks(turn)}
    end = {"stopReason": FINISH[turn.finish], "usage": usage(turn), "metrics": {"latencyMs": 5}}
    return {"output": {"message": message}} | end


def blocks(turn: Answer) -> list[dict]:
    out = [{"text": turn.text}] if turn.text else []
    for call in turn.calls:
        use = {"toolUseId": f"tooluse_{next(ids)}", "name": call.name, "input": json.loads(call.arguments)}
        out.append({"toolUse": use})
    return out


def usage(turn: Answer) -> dict:
    output = turn.output + turn.reasoning
    total = turn.input + turn.cached + output
    cached = {"cacheReadInputTokens": turn.cached, "cacheWriteInputTokens": 0}
    return {"inputTokens": turn.input, "outputTokens": output, "totalTokens": total} | cached


def stream(name: str, turn: Answer) -> Stream:
    out = [frame("messageStart", {"role": "assistant"})]
    for at, block in enumerate(blocks(turn)):
        place = {"contentBlockIndex": at}
        if use := block.get("toolUse"):
            given = use.pop("input")
            arguments = next(it.arguments for it in turn.calls if json.loads(it.arguments) == given)
            out.append(frame("contentBlockStart", place | {"start": {"toolUse": use}}))
            deltas = [{"toolUse": {"input": it}} for it in pieces(arguments)]
        else:
            deltas = [{"text": it} for it in pieces(block["text"])]
        out += [frame("contentBlockDelta", place | {"delta": it}) for it in deltas]
        out.append(frame("contentBlockStop", place))
    if name in BREAKING:
        failure = frame("modelStreamErrorException", {"message": "the machine went away"}, "exception")
        return Stream("application/vnd.amazon.eventstream", out[:3] + [failure if name == "errs" else None])
    out.append(frame("messageStop", {"stopReason": FINISH[turn.finish]}))
    out.append(frame("metadata", {"usage": usage(turn), "metrics": {"latencyMs": 5}}))
    return Stream("application/vnd.amazon.eventstream", out)


def frame(name: str, payload: dict, kind: str = "event") -> bytes:
    """One message of AWS's event-stream: lengths, headers, payload, and the checksums of both parts."""
    words = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    heads = b"".join(header(*it) for it in words.items())
    data = json.dumps(payload, ensure_ascii=False).encode()
    prelude = struct.pack(">II", 16 + len(heads) + len(data), len(heads))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + heads + data
    return whole + struct.pack(">I", zlib.crc32(whole))


def header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()


def check(name: str, body: dict) -> Seen:
    """Validates a request and reads the values that the script needs."""
    seen = Seen(model=name)
    need(isinstance(body.get("messages"), list) and body["messages"], "messages must not be empty")
    need(body["messages"][0]["role"] == "user", "A conversation must start with a user message.")
    open_calls: list[str] = []
    for message in body["messages"]:
        need(message["role"] in {"user", "assistant"}, f"role {message['role']!r}")
        seen.results = []
        for block in message["content"]:
            if result := block.get("toolResult"):
                need(result["toolUseId"] in open_calls, "a toolResult must answer a toolUse of the message before")
                open_calls.remove(result["toolUseId"])
                seen.results.append("".join(it["text"] for it in result["content"]))
        need(not open_calls, f"toolUse without a toolResult: {open_calls}")
        open_calls = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
    need(not open_calls, f"toolUse without a toolResult: {open_calls}")
    tools = (body.get("toolConfig") or {}).get("tools", [])
    for tool in tools:
        need(tool["toolSpec"]["inputSchema"]["json"]["type"] == "object", "inputSchema must be an object's schema")
        seen.tools = True
    return seen

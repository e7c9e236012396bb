"""The scripted upstream's Gemini side: generation, token counts, embeddings, models, after the public API reference."""

import json
from itertools import count

from script import BREAKING, MODELS, SIGNATURE, Answer, Refused, Seen, answer, need, pieces, vectors

FINISH = {"stop": "STOP", "calls": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}
KINDS = {
    "rate_limit": "RESOURCE_EXHAUSTED",
    "authentication": "UNAUTHENTICATED",
    "invalid_request": "INVALID_ARGUMENT",
    "overloaded": "UNAVAILABLE",
    "not_found": "NOT_FOUND",
}
ids = count(1)


def error(refused: Refused) -> dict:
    return {"error": {"code": refused.status, "message": refused.message, "status": KINDS[refused.kind]}}


def route(path: str, body: dict) -> dict | list:
    """The answer to a path below `/v1beta/`."""
    if ":" not in path:
        return model(path.removeprefix("models/")) if path != "models" else {"models": [info(it) for it in MODELS]}
    name, method = path.removeprefix("models/").rsplit(":", 1)
    if method in {"generateContent", "streamGenerateContent"}:
        return generate(name, body, method.startswith("stream"))
    if method == "countTokens":
        return {"totalTokens": 100 + len(body.get("generateContentRequest", body)["contents"])}
    if method == "embedContent":
        return {"embedding": {"values": vectors([words(body["content"])])[0]}}
    if method == "batchEmbedContents":
        texts = [words(it["content"]) for it in body["requests"]]
        return {"embeddings": [{"values": it} for it in vectors(texts)]}
    raise Refused(404, "not_found", f"there is no {path}")


def words(content: dict) -> str:
    return "".join(part["text"] for part in content["parts"])


def generate(name: str, body: dict, streamed: bool) -> dict | list:
    seen = check(name, body)
    turn = answer(seen)
    head = {"modelVersion": f"{name}-2026-01-01", "responseId": f"response-{next(ids)}"}
    if not streamed:
        return head | {"candidates": [candidate(parts(turn), FINISH[turn.finish])], "usageMetadata": usage(turn)}
    bare = {"usageMetadata": {"promptTokenCount": turn.input + turn.cached}}
    events = [json.dumps(head | bare | {"candidates": [candidate([it])]}) for it in cut(turn)]
    if name in BREAKING:
        failure = json.dumps(error(Refused(503, "overloaded", "the machine went away")))
        return events[:3] + [failure if name == "errs" else None]
    last = head | {"candidates": [candidate([{"text": ""}], FINISH[turn.finish])], "usageMetadata": usage(turn)}
    return [*events, json.dumps(last)]


def candidate(parts: list, finish: str | None = None) -> dict:
    end = {"finishReason": finish} if finish else {}
    return {"content": {"role": "model", "parts": parts}, "index": 0} | end


def parts(turn: Answer) -> list[dict]:
    out = []
    if turn.thinking is not None:
        out.append({"text": turn.thinking, "thought": True})
    if turn.text:
        out.append({"text": turn.text})
    for at, call in enumerate(turn.calls):
        part = {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}}
        # The first of parallel calls is signed, the others are not.
        out.append(part | ({} if at else {"thoughtSignature": SIGNATURE}))
    return out


def cut(turn: Answer) -> list[dict]:
    """Texts are streamed in pieces, calls as a whole."""
    out = []
    for part in parts(turn):
        out += [part | {"text": it} for it in pieces(part["text"])] if "text" in part else [part]
    return out


def usage(turn: Answer) -> dict:
    prompt = turn.input + turn.cached
    thoughts = {"thoughtsTokenCount": turn.reasoning} if turn.reasoning else {}
    return thoughts | {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": turn.cached,
        "candidatesTokenCount": turn.output,
        "totalTokenCount": prompt + turn.output + turn.reasoning,
    }


def check(name: str, body: dict) -> Seen:
    """Validates a request and reads the values that the script needs."""
    seen = Seen(model=name)
    need(isinstance(body.get("contents"), list) and body["contents"], "contents is not specified")
    open_calls = 0
    for content in body["contents"]:
        need(content.get("role", "user") in {"user", "model"}, "Please use a valid role: user, model.")
        need(content.get("parts"), "contents.parts must not be empty.")
        kinds = [kind for part in content["parts"] for kind in part]
        seen.results = [spoken(it["functionResponse"]) for it in content["parts"] if "functionResponse" in it]
        need(len(seen.results) == open_calls, "the number of function response parts must equal that of the calls")
        open_calls = kinds.count("functionCall")
    for tool in body.get("tools", []):
        for function in tool["functionDeclarations"]:
            spellings = ("parametersJsonSchema", "parameters_json_schema", "parameters")
            schema = next(function[it] for it in spellings if it in function)
            need(function.get("name") and schema["type"].lower() == "object", "a function needs a name and parameters")
            seen.tools = True
    config = body.get("generationConfig", {})
    schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
    need(not schema or config.get("responseMimeType") == "application/json", "a schema needs the media type of JSON")
    seen.schema = "celsius" in schema.get("properties", {})
    return seen


def spoken(response: dict) -> str:
    need(response.get("name"), "a function response needs the function's name")
    values = list(response["response"].values())
    return values[0] if len(values) == 1 else json.dumps(response["response"])


def info(name: str) -> dict:
    methods = ["generateContent", "countTokens"]
    return {"name": f"models/{name}", "displayName": name.title(), "supportedGenerationMethods": methods}


def model(name: str) -> dict:
    if name not in MODELS:
        raise Refused(404, "not_found", f"models/{name} is not found")
    return info(name)

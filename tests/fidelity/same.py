"""Whether a request keeps its meaning when it is translated to its own format: equal except for spellings that the
format's specification calls equal.
"""

import json
import re

# Members that the gateway sets itself: the model's name, and those that make a stream report its tokens.
OURS = {"model", "stream", "stream_options"}
# Values that equal an absent member.
EMPTY = (None, [], {}, False)
# Two names of one member.
SYNONYMS = {"max_tokens": "max_completion_tokens"}


def differences(format: str, recorded: dict, sent: dict) -> list[str]:
    """The differences as texts, by place."""
    if not isinstance(sent, dict):
        return ["what was sent is no object"]
    ours, theirs = ({key: it for key, it in body.items() if key not in OURS} for body in (recorded, sent))
    found: list[str] = []
    compare("", plain(format, renumbered(ours)), plain(format, renumbered(theirs)), found)
    return found


def renumbered(body: dict) -> dict:
    """Names ids of chat's tool calls by their order: a target that limits them gets others, reversibly (C-46)."""
    ids: dict = {}

    def walk(value: object, key: str = "") -> object:
        if isinstance(value, list):
            return [walk(it, key) for it in value]
        if not isinstance(value, dict):
            return value
        is_id = lambda name: name == "tool_call_id" or (name == "id" and key == "tool_calls")
        return {name: ids.setdefault(it, len(ids)) if is_id(name) else walk(it, name) for name, it in value.items()}

    return {key: walk(it) if key == "messages" else it for key, it in body.items()}


def compare(place: str, ours: object, theirs: object, found: list[str]):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            compare(f"{place}/{key}", ours.get(key), theirs.get(key), found)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for at, (a, b) in enumerate(zip(ours, theirs)):
            compare(f"{place}/{at}", a, b, found)
    elif ours != theirs:
        found.append(f"{place}: recorded {brief(ours)}, sent {brief(theirs)}")


def brief(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:160]


def plain(format: str, value: object, key: str = "") -> object:
    """One of several spellings."""
    if isinstance(value, list):
        return [plain(format, it, key) for it in value]
    if not isinstance(value, dict):
        return value
    if format == "gemini.generate" and key in {"parameters", "responseSchema"}:
        return older_schema(value)
    if key in {"input_schema", "schema", "parameters", "args", "arguments", "inputSchema", "parametersJsonSchema"}:
        return value
    spell = SPELLINGS.get(format, lambda key, value: (key, value))
    members = {}
    for name, it in value.items():
        name, it = spell(name, it)
        it = plain(format, it, name)
        if it not in EMPTY:
            members[name] = it
    if format == "openai.responses" and members.get("role") and members.get("type") == "message":
        # An item with a role is a message by default.
        del members["type"]
    return members


def chat(key: str, value: object) -> tuple:
    if key == "tools" and isinstance(value, list):
        # A tool's default type.
        value = [{"type": "function", **it} for it in value]
    if key == "tool_calls" and isinstance(value, list):
        # The place in a stream, which clients send back with what they received.
        value = [{name: it for name, it in call.items() if name != "index"} for call in value]
    if key in {"function_call", "tool_choice"} and value == "auto":
        # The default.
        value = None
    if key == "tool_choice" and value == "any":
        # Mistral has both words for this.
        value = "required"
    if key == "reasoning_effort" and isinstance(value, str):
        # OpenRouter has both members for this.
        key, value = "reasoning", {"effort": value}
    if key == "thinking" and isinstance(value, list):
        # Several pieces form one thought.
        value = "".join(it.get("text", "") for it in value).replace("\n", "")
    elif key == "thinking" and isinstance(value, str):
        value = value.replace("\n", "")
    if key == "image_url" and isinstance(value, str):
        value = {"url": value}
    if key == "content" and isinstance(value, str):
        value = [{"type": "text", "text": value}] if value else None
    return SYNONYMS.get(key, key), value


# The schema of a function without parameters.
NO_PARAMETERS = {"type": "object", "properties": {}}


def messages(key: str, value: object) -> tuple:
    if key == "messages" and isinstance(value, list):
        # "Consecutive `user` or `assistant` turns in your request will be combined into a single turn."
        value = turns([{**it, "content": messages("content", it.get("content"))[1]} for it in value], "content")
    if key in {"content", "system"} and isinstance(value, str):
        value = [{"type": "text", "text": value}]
    if key in {"content", "system"} and isinstance(value, list):
        # An empty text equals none.
        value = [it for it in value if it != {"type": "text", "text": ""}]
    return key, value


def responses(key: str, value: object) -> tuple:
    if key == "tools" and isinstance(value, list):
        # "Omitting parameters defines a function with an empty parameter list."
        value = [{**it, "parameters": None} if it.get("parameters") == NO_PARAMETERS else it for it in value]
    if key == "input" and isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if key == "content" and isinstance(value, str):
        value = [{"type": "text", "text": value}]
    if key == "content" and isinstance(value, list):
        value = [{**it, "type": "text"} if it.get("type") in {"input_text", "output_text"} else it for it in value]
    if key == "detail" and value == "auto":
        # The default, which the schema requires.
        value = None
    return key, value


def gemini(key: str, value: object) -> tuple:
    key = re.sub(r"_([a-z])", lambda found: found.group(1).upper(), key)
    if key in {"tools", "contents", "parts"} and isinstance(value, dict):
        value = [value]
    if key == "parts":
        # A part without text means nothing.
        value = [it for it in value if it != {"text": ""}]
    if key == "contents":
        # An empty turn says nothing. Results of functions once had a role of their own.
        roles = [{**it, "role": "user"} if it.get("role") == "function" else it for it in value]
        value = turns([it for it in roles if it.get("parts")])
    if (key, value) in [("text", ""), ("responseMimeType", "text/plain"), ("mode", "AUTO"), ("mode", "auto")]:
        # Words for nothing, and the defaults.
        value = None
    if key == "data" and isinstance(value, str):
        # Bytes are base64 of either alphabet, with or without padding (proto3's mapping to JSON).
        value = value.replace("-", "+").replace("_", "/").rstrip("=")
    if key in {"thinkingLevel", "mode"} and isinstance(value, str):
        value = value.upper()
    if key == "systemInstruction" and value is not None:
        value = {"parts": [{"text": value}] if isinstance(value, str) else value.get("parts")}
    return key, value


def turns(contents: list, place: str = "parts") -> list:
    """Joins adjacent turns of one role."""
    found: list[dict] = []
    for it in contents:
        role, parts = it.get("role", "user"), it.get(place) or []
        parts = parts if isinstance(parts, list) else [parts]
        if found and found[-1]["role"] == role:
            found[-1][place] = [*found[-1][place], *parts]
        else:
            found.append({**it, "role": role, place: parts})
    return found


# Gemini's enumeration of types, for schemas that were written with its numbers.
TYPES = ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"]


def older_schema(schema: object) -> object:
    """A schema of Gemini's own kind: types in any case, properties in any order; an empty object equals none."""
    if isinstance(schema, list):
        return [older_schema(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, it in schema.items():
        key = re.sub(r"_([a-z])", lambda found: found.group(1).upper(), key)
        if key == "properties":
            it = {name: older_schema(one) for name, one in it.items()}
        elif key == "type":
            it = TYPES[it] if isinstance(it, int) else it.upper()
        else:
            it = older_schema(it)
        if key != "title" and it not in EMPTY:
            found[key] = it
    return {} if found == {"type": "OBJECT"} else found


def cohere(key: str, value: object) -> tuple:
    # The older name of the same member.
    if key == "response_format" and isinstance(value, dict) and "schema" in value:
        value = {**{name: it for name, it in value.items() if name != "schema"}, "json_schema": value["schema"]}
    return messages(key, value)


def bedrock(key: str, value: object) -> tuple:
    if key == "messages" and isinstance(value, list):
        value = turns(value, "content")
    return key, value


def ollama(key: str, value: object) -> tuple:
    if key == "tool_calls" and isinstance(value, list):
        # A call's only type.
        value = [{"type": "function", **it} for it in value]
    # An explicit empty value.
    return key, None if key in {"format", "system", "template"} and value == "" else value


SPELLINGS = {
    "openai.chat": chat,
    "openai.responses": responses,
    "anthropic.messages": messages,
    "gemini.generate": gemini,
    "bedrock.converse": bedrock,
    "cohere.chat": cohere,
    "ollama.chat": ollama,
    "ollama.generate": ollama,
}

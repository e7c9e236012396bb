"""`openai.chat`, with the official openai client."""

import functools
import json
from dataclasses import dataclass, field

from openai import APIError, OpenAI

from ask import KEY, Ask
from meaning import Call, Candidate, Failure, Meaning, Usage, added, arguments


# Members with thinking, the plainest first.
PLACES = ("reasoning_content", "reasoning", "reasoning_details")


@dataclass
class Choice(Candidate):
    """A candidate whose thinking is collected by member."""

    heard: dict = field(default_factory=lambda: {place: [] for place in PLACES})


@functools.cache
def client(base: str) -> OpenAI:
    """Cached for each address: a client takes long to make."""
    return OpenAI(base_url=base + "/v1", api_key=KEY, max_retries=0, timeout=30)


def ask(ask: Ask) -> Meaning | Failure:
    tools = [{"type": "function", "function": {"name": name, "parameters": ask.schema()}} for name in ask.tools]
    words = {"model": ask.model, "messages": [{"role": "user", "content": ask.prompt}]}
    if tools:
        words["tools"] = tools
    if ask.candidates > 1:
        words["n"] = ask.candidates
    try:
        if not ask.stream:
            return whole(client(ask.base).chat.completions.create(**words))
        words["stream_options"] = {"include_usage": True}
        with client(ask.base).chat.completions.create(stream=True, **words) as stream:
            return streamed(stream)
    except APIError as error:
        return Failure(getattr(error, "status_code", None), f"{error} {error.body}")


def whole(answer) -> Meaning | Failure:
    if not answer.choices and (error := more(answer, "error")):
        return Failure(error.get("status"), error.get("message"))
    meaning = Meaning(usage=usage(getattr(answer, "usage", None)))
    for choice in answer.choices or []:
        candidate = Choice(finish=choice.finish_reason)
        if choice.message is not None:
            message(candidate, choice.message)
            for call in choice.message.tool_calls or []:
                candidate.calls.append(a_call(call))
            legacy(candidate, choice.message.function_call)
        meaning.candidates.append(candidate)
    finish(meaning)
    return meaning


def message(candidate: Candidate, message):
    """Reads the members that a message and a delta share."""
    content = message.content
    for place in candidate.heard:
        candidate.heard[place] += words(more(message, place))
    if isinstance(content, str):
        candidate.texts.append(content)
    elif isinstance(content, dict):
        # Cloudflare sends the object for a schema as an object.
        candidate.texts.append(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    for part in content if isinstance(content, list) else []:
        piece(candidate, part if isinstance(part, dict) else part.model_dump())
    # What a model says aloud is its answer, too.
    said = getattr(message, "audio", None)
    transcript = said.get("transcript") if isinstance(said, dict) else getattr(said, "transcript", None)
    candidate.texts += [transcript] if transcript else []
    candidate.refusal += getattr(message, "refusal", None) or ""


def words(thinking) -> list[str]:
    """The thinking in one of the members where servers put it."""
    if isinstance(thinking, list):
        return [it.get("text") or it.get("summary") or "" for it in thinking]
    return [thinking] if isinstance(thinking, str) else []


def settle(candidate: Candidate):
    """Picks the thinking of the first member that has any: several members hold it in different forms."""
    for texts in candidate.heard.values():
        if any(texts) and not any(candidate.thoughts):
            candidate.thoughts = texts


def piece(candidate: Candidate, part: dict):
    """Reads a part of a list of content: Mistral's and Databricks' thinking."""
    inner = part.get("thinking") or part.get("summary")
    if isinstance(inner, list):
        candidate.thoughts += [it.get("text") or "" for it in inner]
    elif isinstance(inner, str):
        candidate.thoughts.append(inner)
    elif isinstance(part.get("text"), str):
        candidate.texts.append(part["text"])


def more(message, name: str):
    """A member that the client's types do not name."""
    return (message.model_extra or {}).get(name)


def a_call(call) -> Call:
    custom = getattr(call, "custom", None)
    if getattr(call, "type", None) == "custom" and custom:
        return Call(custom.name, custom.input, call.id, free=True)
    return Call(call.function.name, arguments(call.function.arguments), call.id)


def legacy(candidate: Candidate, call):
    if call is not None and call.name:
        candidate.calls.append(Call(call.name, arguments(call.arguments)))


class Open:
    """A call whose pieces arrive."""

    def __init__(self, index):
        self.index, self.id, self.name, self.text, self.custom = index, None, "", "", False

    def add(self, piece):
        self.id = self.id or piece.id
        custom = (piece.model_extra or {}).get("custom")
        self.custom = self.custom or bool(custom and custom.get("name"))
        if piece.function is not None:
            # Some servers repeat the name with every piece.
            self.name = self.name or piece.function.name or ""
            self.text += piece.function.arguments or ""
        if self.custom:
            self.name = self.name or custom.get("name") or ""
            self.text += (custom or {}).get("input") or ""

    def call(self) -> Call:
        return Call(self.name, self.text if self.custom else arguments(self.text), self.id, free=self.custom)


def streamed(chunks) -> Meaning:
    meaning, candidates, opened, tokens = Meaning(), {}, {}, None
    for chunk in chunks:
        tokens = usage(getattr(chunk, "usage", None)) or tokens
        for choice in chunk.choices or []:
            number = choice.index or 0
            candidate = candidates.setdefault(number, Choice())
            candidate.finish = choice.finish_reason or candidate.finish
            if choice.delta is None:
                continue
            message(candidate, choice.delta)
            for piece in choice.delta.tool_calls or []:
                find(opened.setdefault(number, []), piece).add(piece)
            if choice.delta.function_call is not None:
                old = opened.setdefault(number, [])
                if not old:
                    old.append(Open(0))
                old[0].name += choice.delta.function_call.name or ""
                old[0].text += choice.delta.function_call.arguments or ""
    for number, calls in opened.items():
        candidates[number].calls += [it.call() for it in calls if it.name]
    meaning.candidates = [candidates[number] for number in sorted(candidates)]
    meaning.usage = tokens
    finish(meaning)
    return meaning


def find(calls: list[Open], piece) -> Open:
    """The call that a piece belongs to: a new id begins one, even at an index that is taken."""
    same = [it for it in calls if piece.index is None or it.index == piece.index]
    fresh = piece.id and same and same[-1].id and piece.id != same[-1].id
    if not same or fresh or (piece.index is None and piece.id and not any(it.id == piece.id for it in calls)):
        calls.append(Open(piece.index if piece.index is not None else len(calls)))
        return calls[-1]
    return same[-1]


def usage(tokens) -> Usage | None:
    if tokens is None:
        return None
    reads = getattr(tokens, "prompt_tokens_details", None)
    writes = getattr(tokens, "completion_tokens_details", None)
    reasoning = getattr(writes, "reasoning_tokens", None)
    output = getattr(tokens, "completion_tokens", None)
    total = getattr(tokens, "total_tokens", None)
    prompt = getattr(tokens, "prompt_tokens", None)
    if reasoning and total is not None and total == (prompt or 0) + (output or 0) + reasoning:
        # Some servers do not include the reasoning in the output; their total shows that.
        output = added(output, reasoning)
    audio = getattr(reads, "audio_tokens", None)
    if audio and total is not None and total == (prompt or 0) + (output or 0) + audio:
        # Nor do some include the audio in the input (C-82).
        prompt = added(prompt, audio)
    extra = getattr(tokens, "model_extra", None) or {}
    cached = getattr(reads, "cached_tokens", None)
    if cached is None:
        # DeepSeek's, Moonshot's and Mistral's members (`UsageInfo`).
        names = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
        cached = next((extra[name] for name in names if extra.get(name) is not None), None)
    written = getattr(reads, "cache_write_tokens", None)
    return Usage(prompt, output, cached, written, reasoning)


def finish(meaning: Meaning):
    for candidate in meaning.candidates:
        settle(candidate)
        ids = [call.id for call in candidate.calls]
        if len(set(ids)) != len(ids):
            meaning.flaws.append(f"call ids repeat: {ids}")

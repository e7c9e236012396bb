"""`anthropic.messages`, with the official anthropic client; streams with its accumulating helper."""

import functools

from anthropic import Anthropic, APIError

from ask import KEY, Ask
from meaning import Call, Candidate, Failure, Meaning, Usage, added, arguments


@functools.cache
def client(base: str) -> Anthropic:
    """Cached for each address: a client takes long to make."""
    return Anthropic(base_url=base, api_key=KEY, max_retries=0, timeout=30)


def ask(ask: Ask) -> Meaning | Failure:
    words = {"model": ask.model, "max_tokens": 4096, "messages": [{"role": "user", "content": ask.prompt}]}
    if ask.tools:
        words["tools"] = [{"name": name, "input_schema": ask.schema()} for name in ask.tools]
    try:
        if not ask.stream:
            return whole(client(ask.base).messages.create(**words))
        with client(ask.base).messages.stream(**words) as stream:
            return streamed(stream)
    except APIError as error:
        return Failure(getattr(error, "status_code", None), str(error))


def whole(answer) -> Meaning:
    candidate = Candidate(finish=answer.stop_reason)
    for block in answer.content or []:
        match block.type:
            case "text":
                candidate.texts.append(block.text)
            case "thinking":
                candidate.thoughts.append(block.thinking)
            case "tool_use":
                candidate.calls.append(Call(block.name, block.input, block.id))
    return Meaning([candidate], usage(answer.usage))


def streamed(stream) -> Meaning:
    """The helper builds the message; arguments that were cut are collected from the deltas."""
    pieces: dict[int, str] = {}
    iterations = None
    for event in stream:
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            pieces[event.index] = pieces.get(event.index, "") + event.delta.partial_json
        if event.type == "message_delta":
            iterations = getattr(event.usage, "iterations", None) or iterations
    message = stream.get_final_message()
    if iterations:
        # The helper keeps only the counts that it knows.
        message.usage.iterations = iterations
    meaning = whole(message)
    places = [at for at, block in enumerate(message.content) if block.type == "tool_use"]
    for call, place in zip(meaning.calls, places):
        call.arguments = arguments(pieces[place]) if pieces.get(place) else call.arguments
    return meaning


def usage(tokens) -> Usage | None:
    if tokens is None:
        return None
    read, written = tokens.cache_read_input_tokens, tokens.cache_creation_input_tokens
    thinking = getattr(getattr(tokens, "output_tokens_details", None), "thinking_tokens", None)
    summaries = [it for it in getattr(tokens, "iterations", None) or [] if of(it, "type") == "compaction"]
    # The top level has no tokens of summaries of the history, which are billed all the same ("Compaction").
    read, written = [
        added(count, *(of(it, name) for it in summaries))
        for count, name in ((read, "cache_read_input_tokens"), (written, "cache_creation_input_tokens"))
    ]
    fresh = added(tokens.input_tokens, *(of(it, "input_tokens") for it in summaries))
    output = added(tokens.output_tokens, *(of(it, "output_tokens") for it in summaries))
    return Usage(added(fresh, read, written), output, read, written, thinking)


def of(it, name: str):
    """A member of a value that the client may not know by a type."""
    return it.get(name) if isinstance(it, dict) else getattr(it, name, None)

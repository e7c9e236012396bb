"""`openai.responses`, with the official openai client."""

from openai import APIError

from ask import Ask
from meaning import Call, Candidate, Failure, Meaning, Usage, arguments
from readers.openai_chat import client


def ask(ask: Ask) -> Meaning | Failure:
    words = {"model": ask.model, "input": ask.prompt}
    if ask.tools:
        words["tools"] = [
            {"type": "function", "name": name, "parameters": ask.schema(), "strict": False} for name in ask.tools
        ]
    try:
        if not ask.stream:
            return whole(client(ask.base).responses.create(**words))
        with client(ask.base).responses.create(stream=True, **words) as stream:
            return streamed(stream)
    except APIError as error:
        return Failure(getattr(error, "status_code", None), f"{error} {error.body}")


def whole(answer) -> Meaning:
    candidate = Candidate(finish=answer.status)
    if answer.incomplete_details is not None:
        candidate.detail = answer.incomplete_details.reason
    for item in answer.output or []:
        an_item(candidate, item, own_tools(answer))
    return Meaning([candidate], usage(answer.usage))


def own_tools(answer) -> set[str] | None:
    """The names of the client's custom tools; None if the answer does not repeat the tools."""
    tools = answer.tools
    return None if not tools else {it.name for it in tools if it.type == "custom"}


def an_item(candidate: Candidate, item, custom: set[str] | None):
    """`custom`: a call of another custom tool is one that the provider made and carried out itself."""
    match item.type:
        case "message":
            for part in item.content or []:
                if part.type == "output_text":
                    candidate.texts.append(part.text)
                elif part.type == "refusal":
                    candidate.refusal += part.refusal
        case "reasoning":
            parts = [part.text for part in item.summary or []]
            candidate.thoughts += parts or [part.text for part in getattr(item, "content", None) or []]
        case "function_call":
            candidate.calls.append(Call(item.name, arguments(item.arguments), item.call_id))
        case "custom_tool_call" if custom is None or item.name in custom:
            candidate.calls.append(Call(item.name, item.input, item.call_id, free=True))


def streamed(events) -> Meaning:
    """Reads the deltas and the last event: a client may read either, so they must agree."""
    heard, last, sequence, flaws, done = Candidate(), None, -1, [], []
    for event in events:
        number = getattr(event, "sequence_number", None)
        if number is not None:
            if number <= sequence:
                flaws.append(f"sequence number {number} after {sequence}")
            sequence = number
        match event.type:
            case "response.output_text.delta":
                heard.texts.append(event.delta)
            case "response.refusal.delta":
                heard.refusal += event.delta
            case "response.output_item.done":
                done.append(event.item)
            case "response.completed" | "response.incomplete" | "response.failed":
                last = event.response
    if last is None:
        return Failure(None, "the stream has no last event")
    # One service's last event has no items, so there its clients have those of the events before.
    last.output = last.output or done
    meaning = whole(last)
    whole_text = meaning.candidates[0].text
    if heard.texts and heard.text != whole_text:
        flaws.append(f"the deltas say {heard.text!r}, the last event {whole_text!r}")
    if not whole_text:
        meaning.candidates[0].texts = heard.texts
    meaning.flaws += flaws
    return meaning


def usage(tokens) -> Usage | None:
    if tokens is None:
        return None
    reads, writes = tokens.input_tokens_details, tokens.output_tokens_details
    return Usage(
        tokens.input_tokens,
        tokens.output_tokens,
        getattr(reads, "cached_tokens", None),
        getattr(reads, "cache_write_tokens", None),
        getattr(writes, "reasoning_tokens", None),
    )

"""`cohere.chat` (v2), with the official cohere client."""

import functools

import cohere
import httpx
from cohere.core.api_error import ApiError

from ask import KEY, Ask
from meaning import Call, Candidate, Failure, Meaning, Usage, arguments


@functools.cache
def client(base: str) -> cohere.ClientV2:
    """Cached for each address: a client takes long to make."""
    return cohere.ClientV2(api_key=KEY, base_url=base, timeout=30, max_retries=0)


def ask(ask: Ask) -> Meaning | Failure:
    words = {"model": ask.model, "messages": [{"role": "user", "content": ask.prompt}]}
    if ask.tools:
        words["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": ask.schema()}} for name in ask.tools
        ]
    try:
        if not ask.stream:
            return whole(client(ask.base).chat(**words))
        return streamed(client(ask.base).chat_stream(**words))
    except ApiError as error:
        return Failure(error.status_code, str(error.body))
    except httpx.RemoteProtocolError as error:
        # The format has no event for an error within a stream: the connection breaks (C-91).
        return Failure(None, str(error))


def whole(answer) -> Meaning:
    candidate = Candidate(finish=answer.finish_reason)
    for part in answer.message.content or []:
        if part.type == "thinking":
            candidate.thoughts.append(part.thinking)
        elif part.type == "text":
            candidate.texts.append(part.text)
    candidate.thoughts.append(answer.message.tool_plan or "")
    for call in answer.message.tool_calls or []:
        candidate.calls.append(Call(call.function.name, arguments(call.function.arguments), call.id))
    return Meaning([candidate], usage(answer.usage))


def streamed(events) -> Meaning:
    candidate, tokens, calls = Candidate(), None, []
    for event in events:
        delta = getattr(event, "delta", None)
        message = getattr(delta, "message", None)
        match event.type:
            case "content-start" | "content-delta":
                candidate.texts.append(getattr(message.content, "text", None) or "")
                candidate.thoughts.append(getattr(message.content, "thinking", None) or "")
            case "tool-plan-delta":
                candidate.thoughts.append(message.tool_plan)
            case "tool-call-start":
                call = message.tool_calls
                calls.append([call.id, call.function.name, call.function.arguments or ""])
            case "tool-call-delta":
                calls[-1][2] += message.tool_calls.function.arguments or ""
            case "message-end":
                if error := getattr(delta, "error", None):
                    # The answer broke off: what arrived is no answer (C-91).
                    return Failure(None, str(error))
                candidate.finish = delta.finish_reason
                tokens = usage(delta.usage)
    candidate.calls = [Call(name, arguments(text), id) for id, name, text in calls]
    return Meaning([candidate], tokens)


def usage(tokens) -> Usage | None:
    counted = tokens and (tokens.tokens or tokens.billed_units)
    if not counted:
        return None
    figures = (counted.input_tokens, counted.output_tokens, tokens.cached_tokens, None)
    return Usage(*map(whole_number, figures), whole_number(getattr(counted, "reasoning_tokens", None)))


def whole_number(figure) -> int | None:
    return None if figure is None else int(figure)

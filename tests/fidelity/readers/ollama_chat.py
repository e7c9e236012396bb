"""`ollama.chat`, with the official ollama client."""

import functools

import ollama

from ask import Ask
from meaning import Call, Candidate, Failure, Meaning, Usage


@functools.cache
def client(base: str) -> ollama.Client:
    """Cached for each address: a client takes long to make."""
    return ollama.Client(host=base, timeout=30)


def ask(ask: Ask) -> Meaning | Failure:
    words = {"model": ask.model, "messages": [{"role": "user", "content": ask.prompt}], "stream": ask.stream}
    if ask.tools:
        words["tools"] = [
            {"type": "function", "function": {"name": name, "description": name, "parameters": ask.schema()}}
            for name in ask.tools
        ]
    try:
        answer = client(ask.base).chat(**words)
        return folded(answer if ask.stream else [answer])
    except ollama.ResponseError as error:
        return Failure(None if error.status_code == -1 else error.status_code, error.error)


def folded(answers) -> Meaning:
    candidate, tokens = Candidate(), None
    for answer in answers:
        message = answer.message
        candidate.texts.append(message.content or "")
        candidate.thoughts.append(message.thinking or "")
        for call in message.tool_calls or []:
            candidate.calls.append(Call(call.function.name, dict(call.function.arguments)))
        if answer.done:
            candidate.finish = answer.done_reason
            tokens = Usage(answer.prompt_eval_count, answer.eval_count)
    return Meaning([candidate], tokens)

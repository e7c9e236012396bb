"""`openai.completions`, with the official openai client."""

from openai import APIError

from ask import Ask
from meaning import Candidate, Failure, Meaning
from readers.openai_chat import client, usage


def ask(ask: Ask) -> Meaning | Failure:
    words = {"model": ask.model, "prompt": ask.prompt}
    if ask.candidates > 1:
        words["n"] = ask.candidates
    try:
        if not ask.stream:
            answer = client(ask.base).completions.create(**words)
            found = [Candidate([choice.text or ""], finish=choice.finish_reason) for choice in answer.choices]
            return Meaning(found, usage(answer.usage))
        words["stream_options"] = {"include_usage": True}
        with client(ask.base).completions.create(stream=True, **words) as stream:
            return streamed(stream)
    except APIError as error:
        return Failure(getattr(error, "status_code", None), f"{error} {error.body}")


def streamed(chunks) -> Meaning:
    candidates, tokens = {}, None
    for chunk in chunks:
        tokens = usage(getattr(chunk, "usage", None)) or tokens
        for choice in chunk.choices or []:
            candidate = candidates.setdefault(choice.index or 0, Candidate())
            candidate.texts.append(choice.text or "")
            candidate.finish = choice.finish_reason or candidate.finish
    return Meaning([candidates[number] for number in sorted(candidates)], tokens)

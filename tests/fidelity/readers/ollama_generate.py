"""`ollama.generate`, with the official ollama client."""

import ollama

from ask import Ask
from meaning import Candidate, Failure, Meaning, Usage
from readers.ollama_chat import client


def ask(ask: Ask) -> Meaning | Failure:
    try:
        answer = client(ask.base).generate(model=ask.model, prompt=ask.prompt, stream=ask.stream)
        return folded(answer if ask.stream else [answer])
    except ollama.ResponseError as error:
        return Failure(None if error.status_code == -1 else error.status_code, error.error)


def folded(answers) -> Meaning:
    candidate, tokens = Candidate(), None
    for answer in answers:
        candidate.texts.append(answer.response or "")
        candidate.thoughts.append(answer.thinking or "")
        if answer.done:
            candidate.finish = answer.done_reason
            tokens = Usage(answer.prompt_eval_count, answer.eval_count)
    return Meaning([candidate], tokens)

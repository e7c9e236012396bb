"""`gemini.generate`, with the official google-genai client."""

import functools
import re

from google import genai
from google.genai import errors, types

from ask import KEY, Ask
from meaning import Call, Candidate, Failure, Meaning, Usage, added


@functools.cache
def client(base: str) -> genai.Client:
    """Cached for each address: a client takes long to make."""
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=base, timeout=30_000))


def ask(ask: Ask) -> Meaning | Failure:
    config = types.GenerateContentConfig(
        candidate_count=ask.candidates if ask.candidates > 1 else None,
        tools=tools(ask),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    words = {"model": ask.model, "contents": ask.prompt, "config": config}
    try:
        if not ask.stream:
            return folded([client(ask.base).models.generate_content(**words)])
        return folded(client(ask.base).models.generate_content_stream(**words))
    except errors.APIError as error:
        return Failure(error.code, str(error))


def tools(ask: Ask) -> list | None:
    if not ask.tools:
        return None
    declared = [types.FunctionDeclaration(name=name, parameters_json_schema=ask.schema()) for name in ask.tools]
    return [types.Tool(function_declarations=declared)]


def folded(answers) -> Meaning:
    candidates, meaning, tokens, blocked = {}, Meaning(), None, None
    for answer in answers:
        tokens = answer.usage_metadata or tokens
        if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None:
            blocked = answer.prompt_feedback.block_reason.value
        for found in answer.candidates or []:
            candidate = candidates.setdefault(found.index or 0, Candidate())
            if found.finish_reason is not None:
                candidate.finish = found.finish_reason.value
            for part in (found.content and found.content.parts) or []:
                a_part(candidate, part)
    if blocked:
        candidates.setdefault(0, Candidate(finish="SAFETY")).detail = blocked
    meaning.candidates = [candidates[number] for number in sorted(candidates)]
    meaning.usage = usage(tokens)
    return meaning


def a_part(candidate: Candidate, part):
    if part.text is not None:
        (candidate.thoughts if part.thought else candidate.texts).append(part.text)
    elif part.function_call is not None:
        a_call(candidate, part.function_call)


def a_call(candidate: Candidate, call):
    """Adds a call, or arguments to the last one: a streamed call's parts after the first have no name."""
    if call.name is not None:
        candidate.calls.append(Call(call.name, call.args or {}, call.id))
    for piece in call.partial_args or []:
        values = [piece.string_value, piece.number_value, piece.bool_value]
        put(candidate.calls[-1].arguments, piece.json_path, next((it for it in values if it is not None), None))


def put(place: dict | list, path: str, value: object):
    """Sets the value at a JSON path (RFC 9535: `$.a[0]['b']`); a further piece of a text is appended."""
    names = re.findall(r"\.(\w+)|\[(\d+)\]|\['(.*?)'\]", path)
    keys = [int(number) if number else name or quoted for name, number, quoted in names]
    for at, key in enumerate(keys):
        if isinstance(key, int):
            place += [None] * (key + 1 - len(place))
        held = place[key] if isinstance(key, int) else place.get(key)
        if at + 1 == len(keys):
            place[key] = held + value if isinstance(held, str) and isinstance(value, str) else value
        elif held is None:
            place[key] = [] if isinstance(keys[at + 1], int) else {}
        place = place[key]


def usage(tokens) -> Usage | None:
    if tokens is None:
        return None
    return Usage(
        added(tokens.prompt_token_count, tokens.tool_use_prompt_token_count),
        added(tokens.candidates_token_count, tokens.thoughts_token_count),
        tokens.cached_content_token_count,
        None,
        tokens.thoughts_token_count,
    )

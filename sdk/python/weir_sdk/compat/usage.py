"""Token counts: from the totals of OpenAI's format to disjoint buckets."""

from typing import Any, Optional

from wit_world.imports import types as t

from .. import model
from ..wire import count, object_of
from .quirks import FORMAT

_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens", "cache_read_input_tokens")
_OWN = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_creation_input_tokens", *_CACHED)
_INPUT, _OUTPUT = "prompt_tokens_details", "completion_tokens_details"


def read(wire: Any) -> Optional[t.Usage]:
    """Parses usage; None if every figure is null."""
    wire = object_of(wire)
    inside, outside = dict(object_of(wire.get(_INPUT))), dict(object_of(wire.get(_OUTPUT)))
    cached = [count(inside.pop("cached_tokens", None)), *(count(wire.get(name)) for name in _CACHED)]
    read = next((n for n in cached if n is not None), None)
    write = count(inside.pop("cache_write_tokens", None))
    write = count(wire.get("cache_creation_input_tokens")) if write is None else write
    thought = count(outside.pop("reasoning_tokens", None))
    rest = {key: value for key, value in wire.items() if key not in (*_OWN, _INPUT, _OUTPUT)}
    buckets = _input(wire, read, write) + _output(wire, thought)
    if read != buckets[1]:
        inside = {"cached_tokens": read} | inside
    if thought != buckets[4]:
        outside = {"reasoning_tokens": thought} | outside
    rest |= {key: value for key, value in ((_INPUT, inside), (_OUTPUT, outside)) if value}
    if not rest and all(bucket is None for bucket in buckets):
        return None
    input, cache_read, cache_write, output, reasoning = buckets
    input, input_audio, input_image = _modalities(input, inside)
    output, output_audio, output_image = _modalities(output, outside)
    searches = count(wire.get("num_search_queries"))
    return model.usage(
        input=input,
        input_audio=input_audio,
        input_image=input_image,
        cache_read=cache_read,
        cache_write=cache_write,
        output=output,
        output_audio=output_audio,
        output_image=output_image,
        reasoning=reasoning,
        units=[] if searches is None else [model.unit("search", searches)],
        extensions=model.extensions(FORMAT, rest),
    )


def _modalities(left: Optional[int], details: dict) -> tuple:
    """Splits a total: the rest, audio and images. The details keep these counts too; a count of zero is only there."""
    if left is None:
        return None, None, None
    audio = min(count(details.get("audio_tokens")) or 0, left)
    image = min(count(details.get("image_tokens")) or 0, left - audio)
    return left - audio - image, audio or None, image or None


def _sums_up(wire: dict, more: int) -> bool:
    """Whether the total is the sum of input, output and `more`."""
    figures = [count(wire.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    if None in figures:
        return False
    prompt, completion, total = figures
    return total == prompt + completion + more


def _input(wire: dict, read: Optional[int], write: Optional[int]) -> tuple:
    """Splits input into uncached input, cache reads and cache writes. If the cached tokens exceed the input, the server
    does not include them in it; if its total shows that it does, they are capped at the input.
    """
    prompt = count(wire.get("prompt_tokens"))
    if prompt is None:
        return None, read, write
    rest = prompt - (read or 0)
    if rest < 0 and _sums_up(wire, 0):
        return 0, prompt, None if write is None else 0
    if rest < 0:
        return prompt, read, write
    return rest - (write or 0) if rest >= (write or 0) else rest, read, write


def _output(wire: dict, thought: Optional[int]) -> tuple:
    """Splits output into output without thinking, and thinking. Most servers include thinking; the total shows which do
    not.
    """
    completion = count(wire.get("completion_tokens"))
    if completion is None or thought is None or (thought > 0 and _sums_up(wire, thought)):
        return completion, thought
    if completion >= thought:
        return completion - thought, thought
    return (0, completion) if _sums_up(wire, 0) else (completion, thought)

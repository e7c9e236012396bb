"""Builds the manifest of a compatible provider from its quirks."""

from typing import Any

from wit_world.exports import about as a

from .. import manifest as m
from .quirks import FORMAT, Quirks

MODELS = "openai.models"
EMBEDDINGS = "openai.embeddings"
REQUEST_HEADERS = ("openai-beta", "idempotency-key", "x-client-request-id")
RESPONSE_HEADERS = (
    "x-request-id",
    "request-id",
    "openai-*",
    "x-ratelimit-*",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "content-language",
)
# The buckets that the sums of input and output include.
INPUT_PARTS = ("cache-read", "cache-write", "input-audio", "input-image")
OUTPUT_PARTS = ("reasoning", "output-audio", "output-image")
LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh")


def describe(quirks: Quirks) -> a.Manifest:
    """The manifest."""
    operations: list[Any] = [a.Operation_Chat()]
    formats = [m.format(FORMAT, tap=chat_tap())]
    if quirks.embeddings_path:
        operations.append(a.Operation_Embeddings())
        tap = m.tap(usage=[m.usage_place("input", "/usage/prompt_tokens")], model=["/model"], failure=[m.present("/error")])
        formats.append(m.format(EMBEDDINGS, tap=tap))
    if quirks.models_path:
        operations.append(a.Operation_Models())
        formats.append(m.format(MODELS))
    media = ["image"] if quirks.images else []
    return m.manifest(
        name=quirks.name,
        version=quirks.version,
        description=quirks.description,
        family="openai",
        settings=quirks.settings,
        isolation=quirks.isolation,
        url=quirks.url,
        key_variables=quirks.key_variables,
        models=quirks.models,
        formats=formats,
        accepts=_accepts(quirks),
        auth=quirks.auth,
        capabilities=m.capabilities(operations, media=media, tools=quirks.tools),
    )


def _accepts(quirks: Quirks) -> list[a.Acceptance]:
    def accept(format: str, operation: Any, path: str, **more: Any) -> a.Acceptance:
        return m.acceptance(
            format, operation, path, request_headers=REQUEST_HEADERS, response_headers=RESPONSE_HEADERS, **more
        )

    usage = a.UsageRequest("/stream_options/include_usage", "true", m.equals("/choices", []))
    accepts = [
        accept(
            FORMAT,
            a.Operation_Chat(),
            quirks.chat_path,
            exclusions=_exclusions(quirks),
            ask_usage=usage if quirks.stream_usage else None,
            preferred=True,
        )
    ]
    if quirks.embeddings_path:
        accepts.append(accept(EMBEDDINGS, a.Operation_Embeddings(), quirks.embeddings_path))
    if quirks.models_path:
        accepts.append(accept(MODELS, a.Operation_Models(), quirks.models_path, method="GET"))
        accepts.append(accept(MODELS, a.Operation_Models(), quirks.models_path + "/{model}", method="GET"))
    return accepts


def _exclusions(quirks: Quirks) -> list[a.Exclusion]:
    """Requests that must be translated. They come from the same data as the translation."""
    found = [m.has_member(member, reason) for member, reason in quirks.drops.items()]
    found += [m.has_member(member, "it has another name here") for member in quirks.renames]
    for member, bounds in quirks.clamps.items():
        found += _beyond(member, *bounds)

    def refuse(there: bool, pointer: str, value: Any, reason: str) -> None:
        if there:
            test = m.present(pointer) if value is None else m.equals(pointer, value)
            found.append(a.Exclusion(test, reason))

    refuse(quirks.max_tokens == "max_tokens", "/max_completion_tokens", None, "it is called max_tokens here")
    refuse(quirks.seed != "seed", "/seed", None, "it has another name here")
    refuse(not quirks.developer_role, "/messages/*/role", "developer", "the role is not known here")
    refuse(quirks.tool_required != "required", "/tool_choice", "required", "it has another word here")
    refuse(not quirks.json_schema, "/response_format/type", "json_schema", "schemas are not taken")
    refuse(True, "/tool_choice/type", "allowed_tools", "the list of tools is narrowed instead")
    refuse(quirks.max_stop < 4, f"/stop/{quirks.max_stop}", None, "fewer stop sequences are taken")
    refuse(not quirks.speaker_names, "/messages/*/name", None, "speakers have no names here")
    refuse(not quirks.tools, "/tools", None, "there are no tools here")
    refuse(quirks.tool_ids.exact, "/messages/*/tool_call_id", None, "ids of calls have another shape here")
    refuse(not quirks.efforts, "/reasoning_effort", None, "thinking cannot be steered here")
    for spelling in ("reasoning_content", "reasoning", "reasoning_details"):
        other = quirks.thinking not in ("", spelling)
        refuse(other, f"/messages/*/{spelling}", None, "thinking in the history has another place here")
    for level in LEVELS:
        refuse(level not in quirks.efforts, "/reasoning_effort", level, "this level is not known here")
    return found


def _beyond(member: str, least: float, most: float) -> list[a.Exclusion]:
    """Requests with a value below or above the range."""
    reason = f"this provider takes {least:.15g} to {most:.15g}"
    return [a.Exclusion(test, reason) for test in (m.below("/" + member, least), m.above("/" + member, most))]


def chat_tap() -> a.Tap:
    """How the relay lane reads chat answers."""
    details, more = "/usage/prompt_tokens_details/", "/usage/completion_tokens_details/"
    read = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens")
    pieces = ("delta/content", "delta/tool_calls", "delta/reasoning_content", "delta/reasoning", "delta/refusal", "message")
    return m.tap(
        usage=[
            m.usage_place("input", "/usage/prompt_tokens", includes=INPUT_PARTS),
            m.usage_place("input-audio", details + "audio_tokens"),
            m.usage_place("input-image", details + "image_tokens"),
            m.usage_place("cache-read", details + "cached_tokens", *(f"/usage/{name}" for name in read)),
            m.usage_place("cache-write", details + "cache_write_tokens", "/usage/cache_creation_input_tokens"),
            m.usage_place("output", "/usage/completion_tokens", includes=OUTPUT_PARTS),
            m.usage_place("output-audio", more + "audio_tokens"),
            m.usage_place("output-image", more + "image_tokens"),
            m.usage_place("reasoning", more + "reasoning_tokens"),
        ],
        units=[m.unit_number("search", "/usage/num_search_queries")],
        service_tier=["/service_tier"],
        finish=["/choices/*/finish_reason"],
        model=["/model"],
        content=[m.present(f"/choices/*/{piece}") for piece in pieces],
        end=[a.FrameTest_Data("[DONE]")],
        failure=[m.present("/error")],
    )

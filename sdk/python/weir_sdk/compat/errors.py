"""Errors in every shape that OpenAI and compatible servers use."""

import json
from dataclasses import dataclass
from typing import Any, Optional

from wit_world.imports import types as t

from .. import model, retry
from ..wire import object_of

# Longest message of a provider that is passed on, in characters.
_LONGEST = 1000

_BY_WORD = {
    "context-length": "context_length_exceeded string_above_max_length exceed_context_size_error",
    "quota": "insufficient_quota billing_hard_limit_reached billing_not_active",
    "rate-limited": "rate_limit_exceeded rate_limit_error too_many_requests resource_exhausted rate_limited "
    "ratelimitreached request_limit_exceeded",
    "content-filtered": "content_filter content_policy_violation responsibleaipolicyviolation",
    "not-found": "model_not_found deploymentnotfound not_found not_found_error invalid_model model_not_supported "
    "resource_does_not_exist endpoint_not_found",
    "authentication": "invalid_api_key authentication_error unauthenticated",
    "permission": "permission_error permission_denied permissiondenied unsupported_country_region_territory",
    "overloaded": "overloaded overloaded_error engine_overloaded unavailable temporarily_unavailable",
    "too-large": "request_too_large",
    "timeout": "timeout timeout_error deadline_exceeded",
    "invalid-request": "unsupported_parameter unsupported_value",
    "upstream": "generation incomplete_generation",
}
_KINDS = {word: kind for kind, words in _BY_WORD.items() for word in words.split()}
_BY_STATUS = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not-found",
    408: "timeout",
    413: "too-large",
    429: "rate-limited",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
# Messages that are more precise than the status: the statuses (None: an error without one), the words, the kind.
_HINTS = (
    (
        (400, 413, 422, None),
        (
            "context length",
            "context window",
            "context_length",
            "maximum context",
            "prompt is too long",
            "too many tokens",
            "reduce the length of the messages",
            "exceeds the available context",
            "max_new_tokens` must be <=",
            "exceeds maximum input length",
            "exceeds the model's maximum",
        ),
        "context-length",
    ),
    (
        (400, 401, 402, 403, 429, None),
        (
            "exceeded your current quota",
            "insufficient balance",
            "insufficient credit",
            "requires more credits",
            "billing",
        ),
        "quota",
    ),
    (
        (400, 403),
        ("api key not valid", "invalid api key", "incorrect api key", "invalid access token"),
        "authentication",
    ),
    ((400,), ("is not a valid model", "model_not_found", "no such model"), "not-found"),
)


@dataclass
class _Said:
    """The fields of an error, whatever its shape."""

    message: str = ""
    kind: str = ""
    code: str = ""
    param: Optional[str] = None
    status: Optional[int] = None


def parse(ctx: t.Context, response: t.HttpResponse) -> t.Error:
    """Parses an answer with a status of 400 or over. Its body may be anything."""
    try:
        body = json.loads(model.body_text(response.body))
    except (ValueError, RecursionError):
        body = None
    error = from_json(body, response.status)
    error.retry_after_ms = retry.after_ms(response.headers, ctx.now_ms)
    return error


def from_json(body: Any, status: Optional[int]) -> t.Error:
    """Parses an error from its JSON; `status` is the answer's, if it had one of 400 or over."""
    said = _Said()
    _read(body, said, 0)
    status = status or said.status
    kind = _kind(said, status)
    message = "".join(c for c in said.message if c >= " " and c != "\x7f" or c == "\n")[:_LONGEST]
    if kind == "authentication":
        # Providers repeat parts of the key in these messages; clients must not see them.
        message = "the provider refused the credential"
    elif not message:
        message = f"the provider answered with status {status}" if status else "the provider answered with an error"
    code = said.code if said.code and not said.code.isdecimal() else None
    return model.fail(kind, message, status=status, code=code, param=said.param).value


def _read(shape: Any, said: _Said, depth: int) -> None:
    """Collects the fields of an error; nested wrappers are opened up to a small depth."""
    if isinstance(shape, str):
        said.message = said.message or shape
    elif isinstance(shape, list) and shape and depth <= 3:
        _read(shape[0], said, depth + 1)
    elif isinstance(shape, dict) and depth <= 3:
        _read_object(shape, said, depth)


def _read_object(shape: dict, said: _Said, depth: int) -> None:
    for key in ("error", "errors"):
        _read(shape.get(key), said, depth + 1)
    said.message = said.message or _word(shape, "message") or _word(shape, "msg")
    said.code = said.code or _word(shape, "code") or _word(shape, "error_code")
    said.kind = said.kind or _word(shape, "type") or _word(shape, "error_type")
    for key in ("status", "status_code", "code"):
        word = _word(shape, key)
        if word.isdecimal():
            said.status = said.status or (int(word) if 400 <= int(word) < 600 else None)
        else:
            said.kind = said.kind or word
    _read(shape.get("detail"), said, depth + 1)
    if said.param is None and isinstance(shape.get("param"), str):
        said.param = shape["param"]
    _read_metadata(object_of(shape.get("metadata")), said, depth)


def _read_metadata(metadata: dict, said: _Said, depth: int) -> None:
    """Reads a router's metadata. The router's message is often only "provider returned error"; the nested one has the
    reason.
    """
    if "flagged_input" in metadata:
        said.kind = "content_filter"
    raw, behind = metadata.get("raw"), _Said()
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        try:
            raw = json.loads(raw)
        except ValueError:
            pass
    _read(raw, behind, depth + 1)
    said.message = behind.message or said.message
    said.kind = said.kind or behind.kind


def _word(shape: dict, key: str) -> str:
    """A text, or a number as text."""
    value = shape.get(key)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _kind(said: _Said, status: Optional[int]) -> str:
    """Classifies the error: by the code and the type first, then by the message, then by the status."""
    words = [said.code.lower(), said.kind.lower()]
    for word in words:
        if word in _KINDS:
            return _KINDS[word]
    message = said.message.lower()
    for statuses, hints, kind in _HINTS:
        if status in statuses and any(hint in message for hint in hints):
            return kind
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is None:
        return "invalid-request" if any("invalid" in word for word in words) else "upstream"
    return "invalid-request" if status < 500 else "upstream"



"""The manifest with defaults. `wit/about.wit` describes each member."""

import json
from typing import Any, Iterable, Optional

from wit_world.exports import about as a
from wit_world.imports import types as t

CONTRACT = "0.2.0"
"""The contract's version that this SDK is made for; `contract` in a manifest."""


def manifest(
    *,
    name: str,
    version: str,
    description: str,
    formats: Iterable[a.Format],
    capabilities: a.Capabilities,
    family: Optional[str] = None,
    settings: str = "",
    isolation: str = "tenant",
    takes_blobs: bool = True,
    url: Optional[str] = None,
    key_variables: Iterable[str] = (),
    models: Iterable[str] = (),
    origins: Iterable[str] = (),
    faces: Iterable[a.Face] = (),
    accepts: Iterable[a.Acceptance] = (),
    auth: Iterable[a.Auth] = (),
) -> a.Manifest:
    """A manifest. A Python instance takes two milliseconds to create, so it serves several exchanges by default."""
    suggests = a.Suggestions(url, list(key_variables), list(models), list(origins))
    return a.Manifest(
        name,
        version,
        CONTRACT,
        description,
        family or name,
        settings,
        isolation,  # type: ignore[arg-type]
        takes_blobs,
        suggests,
        list(formats),
        list(faces),
        list(accepts),
        list(auth) or [bearer()],
        capabilities,
    )


def capabilities(
    operations: Iterable[Any], *, media: Iterable[str] = (), tools: bool = True, counts_tokens: bool = False
) -> a.Capabilities:
    """The provider's capabilities."""
    return a.Capabilities(list(operations), list(media), tools, counts_tokens)


def bearer(name: str = "bearer") -> a.Auth:
    """`authorization: Bearer KEY`."""
    return a.Auth(name, a.AuthScheme_Bearer())


def no_key(name: str = "open") -> a.Auth:
    """No credential."""
    return a.Auth(name, a.AuthScheme_Open())


def key_header(header: str, prefix: str = "", name: str = "header") -> a.Auth:
    """A header with a prefix before the key."""
    return a.Auth(name, a.AuthScheme_Header(t.Header(header, prefix)))


def acceptance(
    format: str,
    operation: Any,
    path: str,
    *,
    method: str = "POST",
    stream_path: Optional[str] = None,
    query: Iterable[a.FixedQuery] = (),
    query_forwarded: Iterable[str] = (),
    request_headers: Iterable[str] = (),
    set_headers: Iterable[t.Header] = (),
    response_headers: Iterable[str] = (),
    exclusions: Iterable[a.Exclusion] = (),
    ask_usage: Optional[a.UsageRequest] = None,
    transport: Optional[Any] = None,
    preferred: bool = False,
) -> a.Acceptance:
    """A format that the provider takes unchanged."""
    return a.Acceptance(
        format,
        operation,
        method,
        path,
        stream_path,
        list(query),
        list(query_forwarded),
        list(request_headers),
        list(set_headers),
        list(response_headers),
        list(exclusions),
        ask_usage,
        transport,
        preferred,
    )


def format(
    id: str,
    *,
    errors: Optional[a.ErrorFormat] = None,
    tap: Optional[a.Tap] = None,
    session: Optional[a.SessionTap] = None,
) -> a.Format:
    """A format: `errors` if clients may use it, `tap` if the provider answers in it, `session` for WebSockets."""
    return a.Format(id, errors, tap, session)


def present(pointer: str) -> a.FrameTest_Present:
    """True if there is a value at the pointer."""
    return a.FrameTest_Present(pointer)


def equals(pointer: str, value: Any) -> a.FrameTest_Equals:
    """True if the value at the pointer is this one."""
    return a.FrameTest_Equals(a.PointerEquals(pointer, json.dumps(value)))


def other_than(pointer: str, *values: Any) -> a.FrameTest_OtherThan:
    """True if there is a value at the pointer other than these."""
    return a.FrameTest_OtherThan(a.PointerValues(pointer, [json.dumps(value) for value in values]))


def above(pointer: str, bound: float) -> a.FrameTest_Above:
    """True if the number at the pointer is greater than the bound."""
    return a.FrameTest_Above(a.PointerBound(pointer, bound))


def below(pointer: str, bound: float) -> a.FrameTest_Below:
    """True if the number at the pointer is less than the bound."""
    return a.FrameTest_Below(a.PointerBound(pointer, bound))


def fractional(pointer: str) -> a.FrameTest_Fractional:
    """True if the number at the pointer is not an integer."""
    return a.FrameTest_Fractional(pointer)


def has_member(member: str, reason: str) -> a.Exclusion:
    """Requests with this member are translated."""
    return a.Exclusion(present("/" + member), reason)


def usage_place(
    bucket: str,
    *pointers: str,
    includes: Iterable[str] = (),
    merge: str = "last",
    beside: Optional[tuple[str, Any]] = None,
    headers: Iterable[str] = (),
) -> a.UsagePlace:
    """The place of a token count; `includes` are the buckets that the count contains as well. With `beside`, counts
    are read only if the member beside them has this value: `("modality", "AUDIO")`. The answer's `headers` are further
    places of the same count."""
    inside = [a.Bucket[name.upper().replace("-", "_")] for name in includes]
    neighbour = None if beside is None else a.PointerEquals("/" + beside[0], json.dumps(beside[1]))
    return a.UsagePlace(bucket, list(pointers), merge, inside, neighbour, list(headers))  # type: ignore[arg-type]


def unit_number(unit: str, *pointers: str, merge: str = "last") -> a.UnitPlace:
    """The place of a number of units, such as searches."""
    return a.UnitPlace(unit, a.UnitSource_Number(list(pointers)), merge)  # type: ignore[arg-type]


def unit_matches(unit: str, test: Any, merge: str = "max") -> a.UnitPlace:
    """Counts the values that pass the test as units."""
    return a.UnitPlace(unit, a.UnitSource_Matches(test), merge)  # type: ignore[arg-type]


def tap(
    *,
    usage: Iterable[a.UsagePlace] = (),
    finish: Iterable[str] = (),
    model: Iterable[str] = (),
    units: Iterable[a.UnitPlace] = (),
    service_tier: Iterable[str] = (),
    service_tier_headers: Iterable[str] = (),
    batch: Iterable[Any] = (),
    region: Iterable[a.PointerValues] = (),
    under_way: Iterable[Any] = (),
    content: Iterable[Any] = (),
    end: Iterable[Any] = (),
    failure: Iterable[Any] = (),
    wrapped: Optional[str] = None,
) -> a.Tap:
    """How the host reads answers on the relay lane. `wrapped` points at the base64 that holds a frame's data, where
    frames wrap another format."""
    return a.Tap(
        usage=list(usage),
        finish=list(finish),
        model=list(model),
        units=list(units),
        service_tier=list(service_tier),
        service_tier_headers=list(service_tier_headers),
        batch=list(batch),
        region=list(region),
        under_way=list(under_way),
        content=list(content),
        end=list(end),
        failure=list(failure),
        wrapped=wrapped,
    )

"""The tables: formats, providers, finish reasons, exceptions, and the recordings themselves."""

import base64
import functools
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FIXTURES = ROOT / "../shared/fixtures"
SPECS = ROOT / "../shared/specs"
OPERATIONS = {"chat", "completions", "responses", "invoke", "predictions"}


@functools.cache
def table(name: str) -> dict:
    return tomllib.loads((HERE / name).read_text())


@dataclass(frozen=True)
class Format:
    """One chat format."""

    id: str
    path: re.Pattern
    reader: str
    adapters: tuple
    dialect: bool
    holds: frozenset
    post: str
    post_stream: str
    schema: str


@functools.cache
def formats() -> dict[str, Format]:
    return {
        it["id"]: Format(
            it["id"],
            re.compile(f"({it['path']})$"),
            it["reader"],
            tuple(it["adapters"]),
            it.get("dialect", False),
            frozenset(it.get("holds", [])),
            it["post"],
            it.get("post_stream", it["post"]),
            it["schema"],
        )
        for it in table("formats.toml")["formats"]
    }


@functools.cache
def providers() -> dict[str, dict]:
    return {it["name"]: it for it in table("providers.toml")["providers"]}


@dataclass(frozen=True)
class Recording:
    """A recorded chat exchange."""

    id: str
    provider: str
    format: str
    stream: bool
    features: tuple
    status: int
    path: str
    model: str
    request: dict = field(hash=False)
    kind: str = ""
    body: bytes = b""

    @property
    def rank(self) -> str:
        """A stable order that does not depend on the recordings' contents."""
        return hashlib.sha256(self.id.encode()).hexdigest()


def recordings() -> list[Recording]:
    """All chat exchanges in a known format, successful or not, by id."""
    found = (recording(path) for path in sorted(FIXTURES.glob("*/*/*.json")) if path.parent.name in OPERATIONS)
    return [it for it in found if it]


def recording(path: Path) -> Recording | None:
    whole = json.loads(path.read_text())
    asked, answered = whole["request"], whole["response"]
    where = asked["path_and_query"].split("?")[0]
    format = next((it.id for it in formats().values() if it.path.search(where)), None)
    if format is None or asked["method"] != "POST":
        return None
    request = asked["body"] if isinstance(asked["body"], dict) else {}
    return Recording(
        whole["id"],
        whole["provider"],
        format,
        bool(whole["streaming"]),
        tuple(whole["features"]),
        answered["status"],
        where,
        request.get("model") or model_of(where),
        request,
        answered["headers"].get("content-type", "application/json"),
        body(answered),
    )


def body(answered: dict) -> bytes:
    if "body_base64" in answered:
        return base64.b64decode(answered["body_base64"])
    if "body_text" in answered:
        return answered["body_text"].encode()
    return json.dumps(answered["body"], ensure_ascii=False).encode()


def model_of(path: str) -> str:
    """The model of a path: `models/M:generateContent`, `model/M/converse`, `deployments/M/`."""
    found = re.search(r"(?:models?|deployments)/([^/:]+(?::\d+)?)", path)
    return found.group(1) if found else "model"

"""The differences between OpenAI-compatible providers, as data."""

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional
from urllib.parse import quote

from wit_world.exports import about as a
from wit_world.imports import types as t

from .. import manifest, model
from ..names import ANY, NAME, IdRule

FORMAT = "openai.chat"
UNKNOWN = "this provider has no such parameter"


@dataclass(frozen=True)
class Quirks:
    """One provider. The defaults suit most compatible servers; set what differs."""

    name: str
    """The adapter's name: `groq`."""
    description: str = "An OpenAI-compatible provider"
    version: str = "0.1.0"
    family: str = ""
    """The family that issues this provider's opaque values; the provider's name if empty."""
    url: Optional[str] = None
    """The default base url, with its version path and a slash at the end."""
    key_variables: tuple[str, ...] = ()
    """Common environment variables for the key, the most common first."""
    models: tuple[str, ...] = ()
    """Globs of the served models."""
    settings: str = ""
    """JSON Schema of the options; empty if there are none."""
    isolation: str = "tenant"
    """Which exchanges may share an instance: `fresh`, `tenant` or `shared`."""
    auth: tuple[a.Auth, ...] = field(default_factory=lambda: (manifest.bearer(), manifest.no_key()))
    """How the key is sent; the first is the default."""
    chat_path: str = "chat/completions"
    models_path: str = "models"
    """Empty if the provider lacks them; one model is at this path followed by its name."""
    embeddings_path: str = ""
    """`embeddings`; empty if the provider lacks them."""

    max_tokens: str = "max_tokens"
    """The name of the member that limits output tokens."""
    seed: str = "seed"
    """The name of the member for the seed."""
    drops: Mapping[str, str] = field(default_factory=dict)
    """Members that the provider does not take, and why."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Members with another name at this provider."""
    clamps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Numbers with a narrower range at this provider."""
    max_stop: int = 4
    """Most stop sequences that the provider takes."""
    developer_role: bool = False
    """Whether the role `developer` is known; its messages become `system` otherwise."""
    text_lists: bool = True
    """Whether content may be a list of texts; they are joined otherwise."""
    speaker_names: bool = True
    """Whether a message may name its speaker."""
    stream_usage: bool = True
    """Whether the provider supports `stream_options.include_usage`."""
    tools: bool = True
    """Whether the provider supports functions."""
    tool_required: str = "required"
    """The value of `tool_choice` that requires a call of any tool."""
    tool_ids: IdRule = ANY
    """The rule for ids of tool calls."""
    tool_names: IdRule = NAME
    """The rule for names of tools."""
    json_schema: bool = True
    """Whether the provider supports `response_format: json_schema`; it becomes `json_object` otherwise."""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """The provider's levels of `reasoning_effort`; others are mapped to the nearest. Empty: thinking cannot be steered.
    """
    thinking: str = "reasoning_content"
    """The member for thinking in the history; empty if there is none."""
    images: bool = True
    """Whether `image_url` is taken."""
    image_urls: bool = True
    """Whether addresses other than data URLs are fetched."""
    noise: tuple[str, ...] = ("obfuscation", "p")
    """Members of chunks without meaning (padding), which are dropped without a loss."""

    def spelling(self, member: str) -> Optional[str]:
        """The provider's name of a member; None if the provider does not take it."""
        return None if member in self.drops else self.renames.get(member, member)

    def address(self, ctx: t.Context, path: str) -> str:
        """A path with its placeholders filled: `{model}` and `{option.NAME}`."""
        out = []
        for piece in path.replace("{", "}").split("}"):
            if len(out) % 2 == 0:
                out.append(piece)
            elif piece == "model":
                out.append(escape(ctx.model))
            else:
                value: Any = model.option(ctx, piece.removeprefix("option."), "")
                out.append(escape(str(value)))
        return "".join(out)


def escape(text: str) -> str:
    """Percent-encodes characters that are not allowed in a path segment."""
    return quote(text, safe=":@-._~")

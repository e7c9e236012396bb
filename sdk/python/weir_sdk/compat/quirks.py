"""What sets one OpenAI-compatible provider apart from the others, as data."""

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
    """One provider. The defaults are what most compatible servers take; say what differs."""

    name: str
    """The adapter's name: `groq`."""
    description: str = "An OpenAI-compatible provider"
    version: str = "0.1.0"
    family: str = ""
    """The family whose opaque values this provider makes; its name where empty."""
    url: Optional[str] = None
    """The usual base url, with its version path and a slash at the end."""
    key_variables: tuple[str, ...] = ()
    """Usual environment variables of the key, the most usual first."""
    models: tuple[str, ...] = ()
    """Globs of the models served."""
    settings: str = ""
    """JSON Schema of the options; empty where there are none."""
    isolation: str = "tenant"
    """Who may meet in one instance: `fresh`, `tenant` or `shared`."""
    auth: tuple[a.Auth, ...] = field(default_factory=lambda: (manifest.bearer(), manifest.no_key()))
    """How the key is shown; the first is the default."""
    chat_path: str = "chat/completions"
    models_path: str = "models"
    """Empty where they are not there; one model is at this path and its name."""
    embeddings_path: str = ""
    """`embeddings`; empty where they are not there."""

    max_tokens: str = "max_tokens"
    """The member for the limit of output tokens."""
    seed: str = "seed"
    """The member for the seed."""
    drops: Mapping[str, str] = field(default_factory=dict)
    """Members that are not taken, and why."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Members with another spelling here."""
    clamps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Numbers with a narrower range here."""
    max_stop: int = 4
    """The most stop sequences taken."""
    developer_role: bool = False
    """Whether messages of role `developer` are known; they become `system` otherwise."""
    text_lists: bool = True
    """Whether content may be a list of texts; they are joined otherwise."""
    speaker_names: bool = True
    """Whether a message may name its speaker."""
    stream_usage: bool = True
    """Whether `stream_options.include_usage` is understood."""
    tools: bool = True
    """Whether functions may be offered."""
    tool_required: str = "required"
    """The word for "some tool must be called"."""
    tool_ids: IdRule = ANY
    """What ids of tool calls may look like."""
    tool_names: IdRule = NAME
    """What names of tools may look like."""
    json_schema: bool = True
    """Whether `response_format: json_schema` is understood; it becomes `json_object` otherwise."""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """The levels of `reasoning_effort` that are known; others move to the nearest. Empty: thinking cannot be steered."""
    thinking: str = "reasoning_content"
    """The member in which thinking travels in the history; empty where it has no place."""
    images: bool = True
    """Whether `image_url` is taken."""
    image_urls: bool = True
    """Whether addresses other than data URLs are fetched."""
    noise: tuple[str, ...] = ("obfuscation", "p")
    """Members of chunks that say nothing (padding) and are left out in silence."""

    def spelling(self, member: str) -> Optional[str]:
        """The provider's spelling of a member; None where it is not taken."""
        return None if member in self.drops else self.renames.get(member, member)

    def address(self, ctx: t.Context, path: str) -> str:
        """A path with its holes filled: `{model}` and `{option.NAME}`."""
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
    """Percent-encodes what may not stand in a path segment."""
    return quote(text, safe=":@-._~")

"""acme: an OpenAI-compatible provider, as an adapter for Weir.

Most of a compatible provider is data, its quirks. Each has a default that suits most servers; `vendor/sdk/python/
weir_sdk/compat/quirks.py` lists them all. Override a method, such as the two below, for what data cannot express.
"""

from typing import Optional

from weir_sdk import Losses
from weir_sdk.compat import Provider, Quirks
from wit_world.imports import types as t

QUIRKS = Quirks(
    name="acme",
    description="acme: chat completions and models",
    version="0.1.0",
    # The provider's address, and the usual environment variable of its key.
    url="https://api.acme.example/v1/",
    key_variables=(),
    # The served models, as globs.
    models=("acme-*",),
    # Members that the provider does not take, and why: they are dropped with a note, and a request with one of them is
    # translated even if the client uses this format.
    drops={"logit_bias": "there is no such parameter", "top_k": "there is no such parameter"},
    # Numbers with a narrower range than the format's.
    clamps={"temperature": (0.0, 1.0)},
)


class Adapter(Provider):
    def prepare(self, ctx: t.Context, request: t.ChatRequest, losses: Losses) -> None:
        """Changes a request before it is rendered."""

    def finish(self, word: str) -> Optional[str]:
        """Finish reasons that only this provider has, in the contract's words."""
        return {"done": "complete"}.get(word)


Adapter(QUIRKS).export(__name__)

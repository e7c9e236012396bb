"""A provider: its quirks, and a method for each step that a provider may override."""

from typing import Any, Optional

from wit_world import exports
from wit_world.imports import types as t

from ..export import export
from ..losses import Losses
from . import errors, manifest, models, request, response
from .decoder import ChunkDecoder
from .quirks import Quirks


class Provider:
    """An OpenAI-compatible provider. Subclass it for what data cannot express."""

    def __init__(self, quirks: Quirks):
        self.quirks = quirks

    def export(self, module: str) -> None:
        """Exports the interfaces that the world names; call it with `__name__`."""
        here: dict[str, Any] = {
            "about": self,
            "provider_errors": self,
            "provider_chat": Chat(self),
            "provider_models": Models(self),
        }
        if hasattr(exports, "ProviderEmbeddings"):
            # Not every adapter has embeddings, and their types exist only if the world exports them.
            from .embeddings import Embeddings

            here["provider_embeddings"] = Embeddings(self)
        export(module, **here)

    # ---- For subclasses to override ----------------------------------------------------------------------------------

    def prepare(self, ctx: t.Context, request: t.ChatRequest, losses: Losses) -> None:
        """Changes a request before it is rendered."""

    def extend(self, ctx: t.Context, request: t.ChatRequest, body: dict, losses: Losses) -> None:
        """Changes the body before it is sent."""

    def finish(self, word: str) -> Optional[str]:
        """A finish reason that only this provider has."""
        return None

    # ---- The interfaces ----------------------------------------------------------------------------------------------

    def describe(self) -> Any:
        return manifest.describe(self.quirks)

    def parse_error(self, ctx: t.Context, response: t.HttpResponse) -> t.Error:
        return errors.parse(ctx, response)


class Chat:
    """The interface `provider-chat`."""

    def __init__(self, provider: Provider):
        self.provider = provider

    def render_request(self, ctx: t.Context, asked: t.ChatRequest) -> t.RenderedRequest:
        return request.render(self.provider, ctx, asked)

    def parse_response(self, ctx: t.Context, answer: t.HttpResponse) -> Any:
        return response.parse(self.provider, ctx, answer)

    def ChatDecoder(self, ctx: t.Context) -> ChunkDecoder:
        return ChunkDecoder(self.provider, ctx)


class Models:
    """The interface `provider-models`."""

    def __init__(self, provider: Provider):
        self.provider = provider

    def render_request(self, ctx: t.Context, asked: t.ModelsRequest) -> t.RenderedRequest:
        return models.render(self.provider.quirks, ctx, asked)

    def parse_response(self, ctx: t.Context, answer: t.HttpResponse) -> t.ModelsResponse:
        return models.parse(answer)

"""Embeddings: requests and answers."""

from typing import Any

from wit_world.imports import types as t

from .. import model, wire
from ..losses import Losses
from ..wire import Raw, count, list_of, object_of
from . import errors, usage
from .response import without

FORMAT = "openai.embeddings"


class Embeddings:
    """The interface `provider-embeddings`."""

    def __init__(self, provider: Any):
        self.quirks = provider.quirks

    def render_request(self, ctx: t.Context, request: t.EmbeddingsRequest) -> t.RenderedRequest:
        """Renders a request."""
        losses = Losses()
        for member in ("task", "title"):
            if getattr(request, member) is not None:
                losses.dropped(member, "there is no place for it")
        losses.foreign("", request.extensions, FORMAT)
        inputs = [_input(at, given) for at, given in enumerate(request.inputs)]
        body = {"model": ctx.model or request.model, "input": inputs[0] if request.single and inputs else inputs}
        encoding = request.encoding and ("base64" if request.encoding == t.EmbeddingEncoding.BASE64 else "float")
        given = {"encoding_format": encoding, "dimensions": request.dimensions, "user": request.end_user}
        for member, value in given.items():
            spelling = self.quirks.spelling(member)
            if value is not None and spelling is None:
                losses.dropped(member, self.quirks.drops[member])
            elif value is not None:
                body[spelling] = value
        body |= {e.key: Raw(e.json) for e in request.extensions if e.format == FORMAT}
        path = self.quirks.address(ctx, self.quirks.embeddings_path)
        return model.rendered(model.post(path, wire.write(body)), losses.take())

    def parse_response(self, ctx: t.Context, response: t.HttpResponse) -> t.EmbeddingsResponse:
        """Parses an answer; the vectors are sorted by index."""
        answer = object_of(model.answer_json(response))
        if answer.get("error"):
            raise model.Err(errors.from_json(answer["error"], None))
        found = [_embedding(at, object_of(entry)) for at, entry in enumerate(list_of(answer.get("data")))]
        found.sort(key=lambda embedding: embedding.index)
        kept = model.extensions(FORMAT, without(answer, {"object", "data", "model", "id", "usage"}))
        return t.EmbeddingsResponse(
            answer.get("id"), answer.get("model"), found, usage.read(answer.get("usage")), kept
        )


def _input(at: int, given: Any) -> Any:
    if isinstance(given, t.EmbeddingInput_Media):
        raise model.fail("unsupported", "this provider embeds text only", param=f"input[{at}]")
    return given.value


def _embedding(position: int, entry: dict) -> t.Embedding:
    vector, index = entry.get("embedding"), count(entry.get("index"))
    if vector is None:
        raise model.unreadable("the provider's answer lacks a vector")
    kind = t.Vector_Base64 if isinstance(vector, str) else t.Vector_Floats
    return t.Embedding(position if index is None else index, kind(vector))

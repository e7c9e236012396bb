"""Lists of models."""

from typing import Optional

from wit_world.imports import types as t

from .. import fit, model
from ..wire import count, object_of
from . import errors
from .quirks import Quirks, escape
from .response import created_ms, without

FORMAT = "openai.models"
_CONTEXT = ("context_length", "context_window", "max_context_length", "max_model_len")
_OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_output_length")


def render(quirks: Quirks, ctx: t.Context, request: t.ModelsRequest) -> t.RenderedRequest:
    """Requests the list, or one model. The list has a single page."""
    path = quirks.address(ctx, quirks.models_path)
    if request.id is not None:
        path += "/" + "/".join(escape(segment) for segment in request.id.split("/"))
    return model.rendered(model.get(path))


def parse(response: t.HttpResponse) -> t.ModelsResponse:
    """Parses a list, with or without its wrapper, or one model."""
    answer = model.answer_json(response)
    if isinstance(answer, dict):
        if answer.get("error"):
            raise model.Err(errors.from_json(answer["error"], None))
        answer = answer["data"] if isinstance(answer.get("data"), list) else [answer]
    return t.ModelsResponse([_model(entry) for entry in map(object_of, answer) if "id" in entry], None)


def _model(entry: dict) -> t.ModelInfo:
    def first(keys: tuple[str, ...]) -> Optional[int]:
        return next((count(entry[key]) for key in keys if count(entry.get(key)) is not None), None)

    name = entry.get("display_name") or entry.get("name")
    return t.ModelInfo(
        fit.text(entry["id"]),
        name if isinstance(name, str) else None,
        created_ms(entry),
        entry.get("owned_by"),
        first(_CONTEXT),
        first(_OUTPUT),
        model.extensions(FORMAT, without(entry, {"id", "object", "created", "owned_by"})),
    )

"""The official schemas of requests (../shared/specs): validates a rendered request against its format's."""

import functools
import json

import botocore.model
import botocore.validate
import jsonschema
import yaml

from data import SPECS, formats, table


# Adapters that write the model into the path where the format has it in the body.
IN_PATH = {"vertex", "azure-openai"}


def complaints(adapter: str, format: str, body: object) -> list[str]:
    """The schema's complaints about a request; empty if there is no schema."""
    schema = table("providers.toml")["schemas"].get(adapter, formats()[format].schema)
    if schema == "bedrock":
        return converse(body)
    if adapter in IN_PATH:
        body = {"model": "m", **body}
    errors = [deepest(it) for it in validator(schema).iter_errors(body)]
    return [f"{'/'.join(map(str, it.absolute_path))}: {it.message[:300]}" for it in errors]


def deepest(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of alternatives, the complaint of the intended one: it is the deepest, and the type is not at fault."""
    while error.context:
        branches: dict = {}
        for it in error.context:
            branches.setdefault(it.schema_path[0], []).append(it)
        meant = min(branches.values(), key=lambda them: (any(is_type(it) for it in them), len(them)))
        error = max(meant, key=lambda it: len(it.absolute_path))
    return error


def is_type(error: jsonschema.ValidationError) -> bool:
    """Whether a value of another type was expected in this place."""
    path = list(error.absolute_path)
    return bool(path and path[-1] in {"type", "role"}) or (error.validator == "type" and not error.relative_path)


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    if name == "gemini":
        return jsonschema.Draft202012Validator(gemini())
    if name == "cohere":
        return jsonschema.Draft202012Validator(cohere())
    file, _, place = name.partition("#")
    whole = loose(load(file))
    if name.startswith("anthropic/"):
        # Generated from the types of requests that are not streamed.
        whole["properties"]["stream"] = {"type": "boolean"}
    if place:
        whole = {"$ref": f"#/components/schemas/{place}", "components": whole["components"]}
    return jsonschema.Draft202012Validator(whole)


def load(file: str) -> dict:
    text = (SPECS / file).read_text()
    return yaml.safe_load(text) if file.endswith(".yaml") else json.loads(text)


def loose(schema: object) -> object:
    """Replaces `oneOf` by `anyOf`: the alternatives of these files overlap, so a correct value may match several.
    `nullable` is OpenAPI's older word for a null.
    """
    if isinstance(schema, list):
        return [loose(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    found = {"anyOf" if key == "oneOf" else key: loose(it) for key, it in schema.items() if key != "discriminator"}
    if found.pop("nullable", False) is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found


def gemini() -> dict:
    """The newer discovery document, with the members of the Gemini API's own messages that it lacks. Members that are
    in neither are refused, as the service does.
    """
    vertex = load("gemini/vertex-aiplatform.v1.discovery.trimmed.json")["schemas"]
    prefix = "GoogleCloudAiplatformV1"
    own = load("gemini/generativelanguage.v1beta.messages.json")["messages"]
    defs = {name: discovered(it) for name, it in vertex.items()}
    for name, message in own.items():
        short = name.removeprefix("google.ai.generativelanguage.v1beta.").replace(".", "")
        if (known := defs.get(prefix + short)) is not None:
            for field in message["fields"]:
                known["properties"].setdefault(field["json"], {})
    return {"$ref": f"#/$defs/{prefix}GenerateContentRequest", "$defs": defs}


def discovered(schema: dict) -> dict:
    """A schema of a discovery document as JSON Schema."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    found: dict = {}
    kind = schema.get("type")
    if kind not in (None, "any"):
        # Numbers of 64 bits are strings, and numbers are accepted as well.
        found["type"] = ["string", "integer"] if schema.get("format") in {"int64", "uint64"} else kind
    if "enum" in schema:
        found["enum"] = [*schema["enum"], *(it.lower() for it in schema["enum"])]
    if "items" in schema:
        found["items"] = discovered(schema["items"])
    if "properties" in schema:
        found["properties"] = {name: discovered(it) for name, it in schema["properties"].items()}
        found["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        found["additionalProperties"] = discovered(schema["additionalProperties"])
    return found


def cohere() -> dict:
    """Validates the parts of a request that have schemas; each has its own definitions."""
    defs: dict = {}

    def part(name: str) -> dict:
        schema = loose(load(f"cohere/v2.{name}.schema.json"))
        defs.update(schema.pop("$defs", {}))
        return schema

    members = {
        "model": {"type": "string"},
        "messages": part("ChatMessages"),
        "tools": {"type": "array", "items": part("ToolV2")},
        "response_format": part("ResponseFormatV2"),
    }
    return {"type": "object", "required": ["model", "messages"], "properties": members, "$defs": defs}


@functools.cache
def service() -> botocore.model.ServiceModel:
    return botocore.model.ServiceModel(load("bedrock/bedrock-runtime.service-2.json"), "bedrock-runtime")


def converse(body: object) -> list[str]:
    """Validates with botocore's own validator; the model is in the path. The validator ignores unknown members, so they
    are searched for.
    """
    shape = service().operation_model("Converse").input_shape
    report = botocore.validate.ParamValidator().validate({"modelId": "m", **body}, shape)
    return [*([report.generate_report()] if report.has_errors() else []), *unknown(body, shape, "")]


def unknown(value: object, shape, place: str) -> list[str]:
    """Members that a structure does not declare."""
    if getattr(shape, "is_document_type", False):
        return []
    if shape.type_name == "structure" and isinstance(value, dict):
        found = [f"{place}: there is no member {name}" for name in value if name not in shape.members]
        known = [(name, it) for name, it in value.items() if name in shape.members]
        return found + [text for name, it in known for text in unknown(it, shape.members[name], f"{place}/{name}")]
    if shape.type_name == "list" and isinstance(value, list):
        return [text for at, it in enumerate(value) for text in unknown(it, shape.member, f"{place}/{at}")]
    return []

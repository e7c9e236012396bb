"""Renders requests: from the unified model to the provider's format."""

from typing import Any, Optional

from wit_world.imports import types as t

from .. import model, wire
from ..losses import Losses
from ..names import Names
from ..wire import Raw
from . import messages
from .quirks import FORMAT, UNKNOWN, Quirks

# Levels of effort in ascending order, and the budget up to which each is used.
_LEVELS = {"none": 0, "minimal": 512, "low": 2048, "medium": 8192, "high": 32768, "xhigh": 65536, "max": 1 << 32}


def render(provider: Any, ctx: t.Context, request: t.ChatRequest) -> t.RenderedRequest:
    """Renders a chat request."""
    writer = Writer(provider.quirks, ctx)
    provider.prepare(ctx, request, writer.losses)
    writer.write(request)
    provider.extend(ctx, request, writer.body, writer.losses)
    path = provider.quirks.address(ctx, provider.quirks.chat_path)
    http = model.post(path, wire.write(writer.body))
    return model.rendered(http, writer.losses.take(), writer.names.to_memo())


class Writer:
    """Renders one request and collects the losses."""

    def __init__(self, quirks: Quirks, ctx: t.Context):
        self.quirks, self.ctx, self.losses = quirks, ctx, Losses()
        self.names = Names(quirks.tool_names)
        self.body: dict[str, Any] = {}
        self.thinking_lost = False

    def write(self, request: t.ChatRequest) -> None:
        """Writes the body, in the order of the official clients."""
        self.body["model"] = self.ctx.model or request.model
        self.body["messages"] = messages.write(self, request.messages)
        self.tools(request)
        self.output(request.output)
        self.sampling(request.sampling)
        self.number(self.quirks.max_tokens, request.max_output_tokens)
        self.effort(request.reasoning)
        self.stream(request)
        self.end_user(request)
        self.put("metadata", request.metadata and Raw(request.metadata))
        self.put("service_tier", request.service_tier)
        self.put("prompt_cache_key", request.cache_key)
        for key, value in self.own("", request.extensions).items():
            if key != "stream_options":
                self.put(key, value)

    # ---- Members -----------------------------------------------------------------------------------------------------

    def put(self, member: str, value: Any) -> None:
        """Adds a member under the provider's name, if the provider takes it."""
        if value is None:
            return
        spelling = self.quirks.spelling(member)
        if spelling is None:
            self.losses.dropped(member, self.quirks.drops.get(member, UNKNOWN))
        else:
            self.body[spelling] = value

    def number(self, member: str, value: Optional[float]) -> None:
        """Adds a number, moved into the provider's range."""
        if value is None:
            return
        low, high = self.quirks.clamps.get(member, (value, value))
        allowed = min(max(value, low), high)
        if allowed != value:
            self.losses.clamped(member, "out of the provider's range")
        self.put(member, int(allowed) if allowed == int(allowed) else allowed)

    def own(self, place: str, extensions: list[t.Extension]) -> dict:
        """The format's own members; those of other formats are reported as lost."""
        self.losses.foreign(place, extensions, FORMAT)
        return {e.key: Raw(e.json) for e in extensions if e.format == FORMAT and e.json != "null"}

    def cache_lost(self, field: str, hint: Optional[t.CacheHint]) -> None:
        """Reports a cache hint as lost."""
        if hint is not None:
            self.losses.dropped(f"{field}.cache_control", "caching is the provider's own affair")

    def refuse(self, field: str, message: str) -> None:
        """Refuses the request because of a value that must not be lost."""
        raise model.fail("unsupported", message, param=field)

    # ---- Groups of members -------------------------------------------------------------------------------------------

    def sampling(self, sampling: t.Sampling) -> None:
        for member in ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"):
            self.number(member, getattr(sampling, member))
        self.number("n", sampling.candidates)
        self.put("logprobs", sampling.logprobs)
        self.number("top_logprobs", sampling.top_logprobs)
        if sampling.seed is not None and sampling.seed.removeprefix("-").isdecimal():
            self.put(self.quirks.seed, int(sampling.seed))
        stop = sampling.stop[: self.quirks.max_stop]
        if len(stop) < len(sampling.stop):
            self.losses.clamped("stop", "too many stop sequences; the first ones are sent")
        self.put("stop", stop or None)

    def output(self, output: Optional[t.OutputFormat]) -> None:
        if output is None:
            return
        if isinstance(output, t.OutputFormat_Opaque):
            if output.value.format != FORMAT:
                return self.losses.dropped("response_format", "it belongs to another format")
            return self.put("response_format", Raw(output.value.json))
        if isinstance(output, t.OutputFormat_Schema) and self.quirks.json_schema:
            schema = output.value
            inner = {
                "name": schema.name or "response",
                "description": schema.description,
                "schema": Raw(schema.schema),
                "strict": schema.strict,
            }
            return self.put("response_format", {"type": "json_schema", "json_schema": inner})
        if isinstance(output, t.OutputFormat_Schema):
            self.losses.approximated("response_format", "schemas are not taken: any JSON object is asked for")
        kind = "text" if isinstance(output, t.OutputFormat_Plain) else "json_object"
        self.put("response_format", {"type": kind})

    def stream(self, request: t.ChatRequest) -> None:
        """Asks for usage in every stream: the host meters it, and removes it if the client did not ask."""
        if not request.stream:
            return
        self.body["stream"] = True
        given = wire.members(model.find_extension(request.extensions, FORMAT, "stream_options") or "")
        options = {"include_usage": True} if self.quirks.stream_usage else {}
        self.put("stream_options", options | given or None)

    def end_user(self, request: t.ChatRequest) -> None:
        """`user`, unless a note says that the newer `safety_identifier` was used."""
        newer = model.find_extension(request.extensions, FORMAT, "safety_identifier") == "null"
        self.put("safety_identifier" if newer else "user", request.end_user)

    def effort(self, asked: Optional[t.ReasoningRequest]) -> None:
        if asked is None:
            return
        if not self.quirks.efforts:
            self.losses.dropped("reasoning_effort", "this provider's thinking cannot be steered")
        else:
            self.level(asked)
            if asked.summary is not None:
                self.losses.dropped("reasoning.summary", "thinking is shown as the provider likes")
        for key, value in self.own("", asked.extensions).items():
            if key not in ("reasoning", "thinking"):
                self.put(key, value)

    def level(self, asked: t.ReasoningRequest) -> None:
        """Writes `reasoning_effort`; a budget becomes the nearest level."""
        wanted = asked.effort
        if wanted is None and asked.mode == t.ReasoningMode.DISABLED:
            wanted = "none"
        elif wanted is None and asked.budget_tokens is not None:
            self.losses.approximated("reasoning.budget_tokens", "said as a level of effort")
            wanted = next(level for level, most in _LEVELS.items() if asked.budget_tokens <= most)
        if wanted is None:
            return
        level = self.nearest(wanted)
        if level is None:
            return self.losses.dropped("reasoning_effort", "thinking cannot be turned off here")
        if level != wanted:
            self.losses.clamped("reasoning_effort", "moved to the nearest level known here")
        self.put("reasoning_effort", level)

    def nearest(self, wanted: str) -> Optional[str]:
        """The nearest level that the provider knows. An unknown level is kept, and "none" never becomes another."""
        ranks = list(_LEVELS)
        if wanted in self.quirks.efforts or wanted not in ranks:
            return wanted
        if wanted == "none":
            return None
        known = [level for level in self.quirks.efforts if level != "none" and level in ranks]
        return min(known, key=lambda level: abs(ranks.index(level) - ranks.index(wanted)), default=None)

    def tools(self, request: t.ChatRequest) -> None:
        choice = request.tool_choice
        narrowed = choice.value if isinstance(choice, t.ToolChoice_Allowed) else None
        if request.tools and not self.quirks.tools:
            self.refuse("tools", "this provider has no tools")
        tools = []
        for at, tool in enumerate(request.tools):
            if isinstance(tool, t.Tool_Opaque):
                self.refuse(f"tools[{at}]", "this provider has no such tool")
            elif narrowed is None or tool.value.name in narrowed.names:
                tools.append(self.function(f"tools[{at}]", tool.value))
        if tools:
            self.body["tools"] = tools
        self.choice(choice)
        if tools:
            self.put("parallel_tool_calls", request.parallel_tool_calls)
        elif request.parallel_tool_calls is not None:
            self.losses.dropped("parallel_tool_calls", "there are no tools")

    def function(self, field: str, tool: t.FunctionTool) -> dict:
        self.cache_lost(field, tool.cache)
        others = self.own(field + ".", tool.extensions)
        inner = {
            "name": self.names.send(tool.name),
            "description": tool.description,
            "parameters": None if tool.parameters is None else Raw(tool.parameters),
            "strict": tool.strict,
        }
        return {"type": "function", "function": inner | wire.members(others.pop("function", ""))} | others

    def choice(self, choice: Optional[t.ToolChoice]) -> None:
        match choice:
            case t.ToolChoice_Automatic():
                self.put("tool_choice", "auto")
            case t.ToolChoice_Disabled():
                self.put("tool_choice", "none")
            case t.ToolChoice_Required():
                self.put("tool_choice", self.quirks.tool_required)
            case t.ToolChoice_Named(name):
                self.put("tool_choice", {"type": "function", "function": {"name": self.names.send(name)}})
            case t.ToolChoice_Allowed(allowed):
                self.losses.approximated("tool_choice", "the list of tools is narrowed instead")
                self.put("tool_choice", self.quirks.tool_required if allowed.required else "auto")
            case t.ToolChoice_Opaque(opaque) if opaque.format == FORMAT:
                self.put("tool_choice", Raw(opaque.json))
            case t.ToolChoice_Opaque():
                self.losses.dropped("tool_choice", "it belongs to another format")

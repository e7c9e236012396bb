"""The question that a client puts: the simplest one to which the recorded answer is a legal answer."""

from dataclasses import dataclass, field

KEY = "sk-fidelity"


@dataclass
class Ask:
    """`base` is the address in front of the client's own path (`/v1/chat/completions`, `/v1/messages`, ...)."""

    base: str
    model: str
    stream: bool
    prompt: str = "Hello"
    tools: list[str] = field(default_factory=list)
    candidates: int = 1

    def schema(self) -> dict:
        """Of each tool's arguments: anything goes."""
        return {"type": "object", "properties": {"value": {"type": "string"}}}

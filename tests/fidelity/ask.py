"""The question of a client: the simplest one for which the recorded answer is legal."""

from dataclasses import dataclass, field

KEY = "sk-fidelity"


@dataclass
class Ask:
    """`base` is the address before the client's own path (`/v1/chat/completions`, `/v1/messages`, ...)."""

    base: str
    model: str
    stream: bool
    prompt: str = "Hello"
    tools: list[str] = field(default_factory=list)
    candidates: int = 1

    def schema(self) -> dict:
        """The schema of each tool's arguments: anything is allowed."""
        return {"type": "object", "properties": {"value": {"type": "string"}}}

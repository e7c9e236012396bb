"""LiteLLM as a client, in several formats: its results always have OpenAI's shape."""

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import openai

from gateway import in_lanes
from turns import FUNCTION, QUESTION, RESULTS, Turn, Turns

litellm.suppress_debug_info = True

USER = [{"role": "user", "content": QUESTION}]


class Speaking(Turns):
    failure = openai.APIStatusError
    broken = openai.APIError
    finishes = {"stop": "stop", "calls": "tool_calls", "length": "length"}
    speaks: str
    path = ""

    def ask(self, scenario, tools=False, messages=USER, **more):
        more |= {"tools": [FUNCTION]} if tools else {}
        place = {"api_base": self.lane.address + self.path, "api_key": self.lane.key}
        model = f"{self.speaks}/{self.lane.model(scenario)}"
        return litellm.completion(model=model, messages=messages, max_retries=0, timeout=30, max_tokens=2048, **place, **more)

    def whole(self, scenario, tools=False):
        return turn(self.ask(scenario, tools))

    def streamed(self, scenario, tools=False):
        chunks = list(self.ask(scenario, tools, stream=True, stream_options={"include_usage": True}))
        return turn(litellm.stream_chunk_builder(chunks, messages=USER))

    def again(self, turn):
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": result}
            for call, result in zip(turn.raw.tool_calls, RESULTS)
        ]
        return self.ask("tools", True, [*USER, turn.raw, *results]).choices[0].message.content

    def status(self, error):
        return error.status_code


def turn(answer) -> Turn:
    choice, usage = answer.choices[0], answer.usage
    calls = [(it.function.name, json.loads(it.function.arguments)) for it in choice.message.tool_calls or []]
    tokens = usage.prompt_tokens, usage.completion_tokens
    return Turn(choice.message.content or "", calls, choice.finish_reason, tokens, choice.message)


@in_lanes("openai", "direct", "relay", "translate")
class LiteLLMOpenAI(Speaking):
    speaks, path = "openai", "/v1"


@in_lanes("anthropic", "direct", "relay", "translate")
class LiteLLMAnthropic(Speaking):
    speaks = "anthropic"


@in_lanes("ollama", "direct", "relay", "translate")
class LiteLLMOllama(Speaking):
    speaks = "ollama_chat"

    def streamed(self, scenario, tools=False):
        """It merges calls that come on separate lines, as the server's own do."""
        return self.whole(scenario, tools) if tools else super().streamed(scenario)

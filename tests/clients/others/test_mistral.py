"""The official Mistral client, `mistralai`, which uses nearly the format of OpenAI's clients.

It parses a streamed call only in one piece, as Mistral sends it; so tools are tested without a stream.
"""

import json

from mistralai.client import Mistral
from mistralai.client.errors import MistralError

from gateway import in_lanes
from turns import FUNCTION, QUESTION, RESULTS, Turn, Turns

USER = [{"role": "user", "content": QUESTION}]


@in_lanes("openai", "direct", "relay", "forced", "translate")
class MistralChat(Turns):
    failure = MistralError
    finishes = {"stop": "stop", "calls": "tool_calls", "length": "length"}
    # Mistral's streams always end with the usage, so its client never asks for it, as OpenAI's must.
    streams_usage = False

    def setUp(self):
        self.client = Mistral(api_key=self.lane.key, server_url=self.lane.address, timeout_ms=30_000, retry_config=None)
        self.enterContext(self.client)

    def arguments(self, scenario, tools=False, messages=USER):
        return {"model": self.lane.model(scenario), "messages": messages} | ({"tools": [FUNCTION]} if tools else {})

    def whole(self, scenario, tools=False):
        answer = self.client.chat.complete(**self.arguments(scenario, tools))
        choice, usage = answer.choices[0], answer.usage
        message = choice.message
        return turn(message.content, message.tool_calls or [], choice.finish_reason, usage)

    def streamed(self, scenario, tools=False):
        if tools:
            return self.whole(scenario, tools)
        text, finish = "", None
        with self.client.chat.stream(**self.arguments(scenario, tools)) as stream:
            for event in stream:
                choice = event.data.choices[0]
                text, finish = text + (choice.delta.content or ""), choice.finish_reason or finish
        return turn(text, [], finish, None)

    def again(self, turn):
        results = [
            {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": result}
            for call, result in zip(turn.raw, RESULTS)
        ]
        messages = [*USER, {"role": "assistant", "content": turn.text, "tool_calls": turn.raw}, *results]
        return self.client.chat.complete(**self.arguments("tools", True, messages)).choices[0].message.content

    def status(self, error):
        return error.status_code


def turn(text, calls, finish, usage) -> Turn:
    made = [(call.function.name, json.loads(call.function.arguments)) for call in calls]
    return Turn(text or "", made, finish, usage and (usage.prompt_tokens, usage.completion_tokens), calls)

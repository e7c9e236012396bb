"""The official Cohere client, `cohere`."""

import contextlib
import json

import cohere
import httpx
from cohere.core.api_error import ApiError

from gateway import in_lanes
from script import GREETING
from turns import FUNCTION, QUESTION, RESULTS, Turn, Turns

USER = [{"role": "user", "content": QUESTION}]


class Asking:
    prefix = ""

    def setUp(self):
        address = self.lane.address + self.prefix
        self.client = cohere.ClientV2(api_key=self.lane.key, base_url=address, timeout=30)

    def arguments(self, scenario, tools=False, messages=USER):
        more = {"tools": [FUNCTION]} if tools else {}
        return {"model": self.lane.model(scenario), "messages": messages, "request_options": {"max_retries": 0}} | more

    def whole(self, scenario, tools=False):
        answer = self.client.chat(**self.arguments(scenario, tools))
        message = answer.message
        text = "".join(it.text for it in message.content or [] if it.type == "text")
        return turn(text, message.tool_plan, message.tool_calls or [], answer)

    def streamed(self, scenario, tools=False):
        text, plan, calls, end = "", "", [], None
        for event in self.client.chat_stream(**self.arguments(scenario, tools)):
            if event.type == "content-delta":
                text += event.delta.message.content.text or ""
            elif event.type == "tool-plan-delta":
                plan += event.delta.message.tool_plan
            elif event.type == "tool-call-start":
                calls.append(event.delta.message.tool_calls)
            elif event.type == "tool-call-delta":
                calls[-1].function.arguments += event.delta.message.tool_calls.function.arguments
            elif event.type == "message-end":
                end = event.delta
        return turn(text, plan, calls, end)


def turn(text, plan, calls, end) -> Turn:
    made = [(call.function.name, json.loads(call.function.arguments)) for call in calls]
    tokens = end.usage and (int(end.usage.tokens.input_tokens), int(end.usage.tokens.output_tokens))
    raw = {"role": "assistant", "tool_plan": plan, "tool_calls": calls}
    return Turn(text, made, end.finish_reason, tokens, raw)


@in_lanes("cohere")
class Cohere(Asking, Turns):
    failure = ApiError
    finishes = {"stop": "COMPLETE", "calls": "TOOL_CALL", "length": "MAX_TOKENS"}

    def again(self, turn):
        calls = turn.raw["tool_calls"]
        results = [{"role": "tool", "tool_call_id": call.id, "content": it} for call, it in zip(calls, RESULTS)]
        answer = self.client.chat(**self.arguments("tools", True, [*USER, turn.raw, *results]))
        return answer.message.content[0].text

    def status(self, error):
        return error.status_code

    def test_an_error_in_a_stream_ends_it(self):
        """The format's finish reason for an error is no exception of the client's; the broken connection after it is.
        """
        with contextlib.suppress(httpx.RemoteProtocolError):
            self.assertEqual(self.streamed("errs").finish, "ERROR")


@in_lanes("cohere", "relay", "translate")
class CohereBelowThePrefix(Asking):
    prefix = "/cohere"

    def test_text(self):
        for way in (self.whole, self.streamed):
            self.assertEqual(way("plain").text, GREETING)

    def test_models(self):
        self.assertIn(self.lane.model("plain"), {model.name for model in self.client.models.list().models})


@in_lanes("cohere", "direct", "relay", "forced", "translate")
class CohereVectors(Asking):
    def test_vectors(self):
        more = {"input_type": "search_document", "embedding_types": ["float"]}
        answer = self.client.embed(model=self.lane.model("embed"), texts=["a", "four"], **more)
        self.assertEqual(answer.embeddings.float_, [[0, 1, 0.5], [1, 4, 0.5]])


@in_lanes("cohere", "direct", "relay", "forced")
class CohereRanks(Asking):
    def test_ranks(self):
        documents = ["a", "the longest of all", "longer"]
        answer = self.client.rerank(model=self.lane.model("plain"), query=QUESTION, documents=documents, top_n=2)
        self.assertEqual([(it.index, it.relevance_score) for it in answer.results], [(1, 1.0), (2, 0.75)])

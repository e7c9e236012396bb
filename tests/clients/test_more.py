"""The official OpenAI client: responses and legacy completions, and both clients below the prefixes of their formats.
"""

import asyncio
import json

import openai
import pydantic
from anthropic import Anthropic

from gateway import in_lanes
from script import GREETING, MODELS
from test_anthropic import CALLS
from test_openai import USER, WEATHER

TOOL = {"type": "function", "strict": False} | WEATHER["function"]


class City(pydantic.BaseModel):
    city: str
    celsius: int


class Asking:
    def setUp(self):
        self.client = self.lane.openai()
        self.addCleanup(self.client.close)


@in_lanes("responses")
class Responses(Asking):
    def create(self, scenario, given="Hello?", **more):
        return self.client.responses.create(model=self.lane.model(scenario), input=given, **more)

    def streamed(self, scenario, given="Hello?", **more):
        """The response in the last event: the client's own accumulator only handles `completed` as the end."""
        with self.client.responses.stream(model=self.lane.model(scenario), input=given, **more) as stream:
            return list(stream)[-1].response

    def both(self, scenario, **more):
        for way in (self.create, self.streamed):
            with self.subTest(way=way.__name__):
                yield way(scenario, **more)

    def test_text(self):
        for answer in self.both("plain", instructions="Be brief.", max_output_tokens=2048):
            self.assertEqual((answer.object, answer.status, answer.output_text), ("response", "completed", GREETING))
            usage = answer.usage
            self.assertEqual((usage.input_tokens, usage.input_tokens_details.cached_tokens), (32, 12))
            self.assertEqual((usage.output_tokens, usage.total_tokens), (9, 41))

    def test_the_order_of_a_stream(self):
        events = list(self.create("plain", stream=True))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        kinds = [event.type.removeprefix("response.") for event in events]
        self.assertEqual(kinds[0], "created")
        self.assertEqual(kinds[-4:], ["output_text.done", "content_part.done", "output_item.done", "completed"])
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        self.assertEqual("".join(deltas), GREETING)

    def test_two_turns_with_parallel_tools(self):
        for answer in self.both("tools", tools=[TOOL]):
            calls = [item for item in answer.output if item.type == "function_call"]
            self.assertEqual([json.loads(call.arguments) for call in calls], CALLS)
            self.assertEqual({call.name for call in calls}, {"get_weather"})
            results = [
                {"type": "function_call_output", "call_id": call.call_id, "output": f"{it['city']}: {it['days']}"}
                for call, it in zip(calls, CALLS)
            ]
            again = self.create("tools", [*USER, *(item.to_dict() for item in answer.output), *results], tools=[TOOL])
            self.assertEqual(again.output_text, 'Paris: 2 / Zürich "HB": 1')

    def test_a_parsed_answer(self):
        answer = self.client.responses.parse(model=self.lane.model("schema"), input="Hello?", text_format=City)
        self.assertEqual(answer.output_parsed, City(city="Paris", celsius=18))

    def test_an_answer_that_is_cut(self):
        for answer in self.both("long"):
            self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))

    def test_errors(self):
        for scenario, kind in {"limited": openai.RateLimitError, "invalid": openai.BadRequestError}.items():
            for more in ({}, {"stream": True}):
                with self.subTest(scenario, **more), self.assertRaises(kind):
                    self.create(scenario, **more)

    def test_a_stream_that_breaks(self):
        """The last event has the error; then the connection is cut, for which each generation of the client has another
        exception.
        """
        for scenario in ("errs", "breaks"):
            kinds, raised = [], None
            try:
                for event in self.create(scenario, stream=True):
                    kinds.append(event.type)
            except Exception as error:
                raised = error
            with self.subTest(scenario, kinds=kinds):
                self.assertNotIn("response.completed", kinds)
                self.assertTrue(raised or kinds[-1] in {"error", "response.failed"})

    def test_asynchronously(self):
        async def talk():
            async with self.lane.async_openai() as client:
                answer = await client.responses.create(model=self.lane.model("plain"), input="Hello?")
                return answer.output_text

        self.assertEqual(asyncio.run(talk()), GREETING)


@in_lanes("completions")
class Completions(Asking):
    def create(self, scenario, **more):
        return self.client.completions.create(model=self.lane.model(scenario), prompt="Hello?", max_tokens=100, **more)

    def test_text(self):
        answer = self.create("plain")
        self.assertEqual((answer.object, answer.choices[0].text), ("text_completion", GREETING))
        self.assertEqual((answer.choices[0].finish_reason, answer.usage.prompt_tokens), ("stop", 32))

    def test_text_streamed(self):
        choices = [choice for chunk in self.create("plain", stream=True) for choice in chunk.choices]
        self.assertEqual("".join(choice.text for choice in choices), GREETING)
        self.assertEqual([it.finish_reason for it in choices if it.finish_reason], ["stop"])

    def test_errors(self):
        with self.assertRaises(openai.RateLimitError):
            self.create("limited")


@in_lanes("openai", "relay", "translate")
class BelowThePrefixes:
    """One address serves many formats: a prefix selects one if the path alone does not."""

    def test_openai(self):
        with self.lane.openai("/openai") as client:
            answer = client.chat.completions.create(model=self.lane.model("plain"), messages=USER)
            self.assertEqual(answer.choices[0].message.content, GREETING)
            self.assertLessEqual({self.lane.model(name) for name in MODELS}, {it.id for it in client.models.list()})

    def test_anthropic(self):
        with Anthropic(**self.lane.options("/anthropic")) as client:
            answer = client.messages.create(model=self.lane.model("plain"), messages=USER, max_tokens=100)
            self.assertEqual(answer.content[0].text, GREETING)
            self.assertLessEqual({self.lane.model(name) for name in MODELS}, {it.id for it in client.models.list()})

    def test_deployments_of_azure(self):
        address, key = self.lane.address, self.lane.key
        more = {"azure_endpoint": address, "api_key": key, "api_version": "2024-10-21", "max_retries": 0}
        with openai.AzureOpenAI(**more) as client:
            answer = client.chat.completions.create(model=self.lane.model("plain"), messages=USER)
        self.assertEqual(answer.choices[0].message.content, GREETING)

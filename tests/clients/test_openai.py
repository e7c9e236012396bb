"""The official OpenAI client: chat completions and embeddings, in every lane."""

import asyncio
import json

import openai
import pydantic

import gateway
from gateway import in_lanes
from script import GREETING, LOOKING

USER = [{"role": "user", "content": "Hello?"}]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


class City(pydantic.BaseModel):
    city: str
    celsius: int


class get_weather(pydantic.BaseModel):  # noqa: N801, the tool is called so
    """The weather of a city"""

    city: str
    days: int


def results(calls) -> list[dict]:
    """The results of the calls, one message each."""
    out = []
    for call in calls:
        arguments = json.loads(call.function.arguments)
        content = f"{arguments['city']}: {arguments['days']}"
        out.append({"role": "tool", "tool_call_id": call.id, "content": content})
    return out


@in_lanes("openai")
class Chat:
    def setUp(self):
        self.client = self.lane.openai()
        self.addCleanup(self.client.close)

    def create(self, scenario, messages=USER, **more):
        return self.client.chat.completions.create(model=self.lane.model(scenario), messages=messages, **more)

    def check_usage(self, usage, reasoning=0):
        self.assertEqual((usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens), (32, 12))
        self.assertEqual((usage.completion_tokens, usage.total_tokens), (9 + reasoning, 41 + reasoning))

    def test_text(self):
        answer = self.create("plain", [{"role": "system", "content": "Be brief."}, *USER], max_tokens=100, temperature=0.5)
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, self.lane.answering("plain"))
        self.assertEqual([choice.message.content for choice in answer.choices], [GREETING])
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.check_usage(answer.usage)

    def test_text_streamed(self):
        chunks = list(self.create("plain", stream=True, stream_options={"include_usage": True}))
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual({chunk.model for chunk in chunks}, {self.lane.answering("plain")})
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        choices = [choice for chunk in chunks for choice in chunk.choices]
        self.assertEqual(choices[0].delta.role, "assistant")
        self.assertEqual("".join(choice.delta.content or "" for choice in choices), GREETING)
        self.assertEqual([it.finish_reason for it in choices if it.finish_reason], ["stop"])
        self.assertEqual((chunks[-1].choices, [bool(chunk.usage) for chunk in chunks].count(True)), ([], 1))
        self.check_usage(chunks[-1].usage)

    def test_usage_comes_only_when_asked_for(self):
        chunks = list(self.create("plain", stream=True))
        self.assertEqual([chunk.usage for chunk in chunks if chunk.usage], [])
        self.assertTrue(all(chunk.choices for chunk in chunks))

    def test_two_turns_with_parallel_tools(self):
        answer = self.create("tools", tools=[WEATHER])
        message = answer.choices[0].message
        self.assertEqual((message.content, answer.choices[0].finish_reason), (LOOKING, "tool_calls"))
        self.check_calls(message.tool_calls)
        again = self.create("tools", [*USER, message, *results(message.tool_calls)], tools=[WEATHER])
        self.assertEqual(again.choices[0].message.content, 'Paris: 2 / Zürich "HB": 1')
        self.assertIsNone(again.choices[0].message.tool_calls)

    def check_calls(self, calls):
        self.assertEqual([call.type for call in calls], ["function"] * 2)
        self.assertEqual([call.function.name for call in calls], ["get_weather"] * 2)
        self.assertEqual(len({call.id for call in calls}), 2)
        arguments = [json.loads(call.function.arguments) for call in calls]
        self.assertEqual(arguments, [{"city": "Paris", "days": 2}, {"city": 'Zürich "HB"', "days": 1}])

    def test_parallel_tools_streamed(self):
        """Collects the calls in the usual way: by index, the id and the name in the first piece, the arguments in all.
        """
        calls, content, finishes = {}, "", []
        for chunk in self.create("tools", tools=[WEATHER], stream=True):
            choice = chunk.choices[0]
            content += choice.delta.content or ""
            finishes += [choice.finish_reason] if choice.finish_reason else []
            for piece in choice.delta.tool_calls or []:
                if piece.index not in calls:
                    self.assertTrue(piece.id and piece.function.name, "the first piece names the call")
                    calls[piece.index] = piece
                else:
                    self.assertIsNone(piece.id)
                    calls[piece.index].function.arguments += piece.function.arguments or ""
        self.assertEqual((content, finishes, sorted(calls)), (LOOKING, ["tool_calls"], [0, 1]))
        self.check_calls([calls[0], calls[1]])

    def test_tools_through_the_stream_helper(self):
        with self.client.chat.completions.stream(
            model=self.lane.model("tools"), messages=USER, tools=[openai.pydantic_function_tool(get_weather)]
        ) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            final = stream.get_final_completion()
        self.assertEqual([event.parsed_arguments.city for event in done], ["Paris", 'Zürich "HB"'])
        self.check_calls(final.choices[0].message.tool_calls)
        self.assertEqual(final.choices[0].message.tool_calls[0].function.parsed_arguments, get_weather(city="Paris", days=2))

    def test_a_parsed_answer(self):
        answer = self.client.chat.completions.parse(
            model=self.lane.model("schema"), messages=USER, response_format=City
        )
        self.assertEqual(answer.choices[0].message.parsed, City(city="Paris", celsius=18))
        self.assertEqual(answer.choices[0].finish_reason, "stop")

    def test_a_parsed_answer_streamed(self):
        with self.client.chat.completions.stream(
            model=self.lane.model("schema"), messages=USER, response_format=City
        ) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        self.assertLessEqual({"chunk", "content.delta", "content.done"}, kinds)
        self.assertEqual(final.choices[0].message.parsed, City(city="Paris", celsius=18))

    def test_media(self):
        content = [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
        ]
        answer = self.create("media", [{"role": "user", "content": content}])
        expected = "image/png 70 bytes; image https://example.com/cat.png; application/pdf 15 bytes"
        self.assertEqual(answer.choices[0].message.content, expected)

    def test_a_large_image(self):
        """Larger than the values that enter the sandbox."""
        image = "A" * 400_000
        content = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}]
        answer = self.create("media", [{"role": "user", "content": content}])
        self.assertEqual(answer.choices[0].message.content, "image/png 300000 bytes")

    def test_every_finish(self):
        for scenario, finish in {"long": "length", "refuses": "content_filter"}.items():
            with self.subTest(scenario):
                self.assertEqual(self.create(scenario).choices[0].finish_reason, finish)
                streamed = [it.choices[0].finish_reason for it in self.create(scenario, stream=True)]
                self.assertEqual([it for it in streamed if it], [finish])

    def test_reasoning_stays_out_of_the_text(self):
        answer = self.create("thinking", reasoning_effort="low")
        self.assertEqual(answer.choices[0].message.content, GREETING)
        self.check_usage(answer.usage, reasoning=4)
        chunks = [chunk for chunk in self.create("thinking", reasoning_effort="low", stream=True) if chunk.choices]
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), GREETING)

    def test_keys_stay_on_their_side(self):
        self.create("plain")
        _, headers, _ = gateway.upstream().last()
        self.assertIn(gateway.KEY, " ".join(headers.values()))
        self.assertNotIn(gateway.CLIENT_KEY, " ".join(headers.values()))

    def test_asynchronously(self):
        async def talk():
            async with self.lane.async_openai() as client:
                create, model = client.chat.completions.create, self.lane.model
                whole, stream = await asyncio.gather(
                    create(model=model("plain"), messages=USER),
                    create(model=model("tools"), messages=USER, tools=[WEATHER], stream=True),
                )
                pieces = [chunk async for chunk in stream]
                return whole.choices[0].message.content, pieces[-1].choices[0].finish_reason

        self.assertEqual(asyncio.run(talk()), (GREETING, "tool_calls"))


@in_lanes("openai", "direct", "relay")
class Untouched:
    """The relay lane: members that Weir does not know are passed on."""

    def test_unknown_members_arrive(self):
        with self.lane.openai() as client:
            model, more = self.lane.model("plain"), {"x_made_up": {"b": 1.50, "a": [None]}}
            client.chat.completions.create(model=model, messages=USER, extra_body=more)
        _, _, body = gateway.upstream().last()
        self.assertEqual(body, {"messages": USER, "model": "plain", **more})


@in_lanes("openai", "direct", "relay", "forced")
class Embeddings:
    def test_vectors(self):
        """The client requests base64 by default, and returns numbers either way."""
        with self.lane.openai() as client:
            for more in ({}, {"encoding_format": "float"}):
                with self.subTest(**more):
                    answer = client.embeddings.create(model=self.lane.model("embed"), input=["a", "four"], **more)
                    vectors = [it.embedding for it in sorted(answer.data, key=lambda it: it.index)]
                    self.assertEqual(vectors, [[0, 1, 0.5], [1, 4, 0.5]])
                    self.assertEqual(answer.usage.prompt_tokens, 8)

    def test_one_text(self):
        with self.lane.openai() as client:
            answer = client.embeddings.create(model=self.lane.model("embed"), input="four")
        self.assertEqual([it.embedding for it in answer.data], [[0, 4, 0.5]])

"""The official Anthropic client: messages and token counts, in every lane."""

import asyncio

import pydantic

import gateway
from gateway import in_lanes
from script import GREETING, LOOKING, REASONING, SIGNATURE
from test_openai import PDF, PNG

USER = [{"role": "user", "content": "Hello?"}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}
CALLS = [{"city": "Paris", "days": 2}, {"city": 'Zürich "HB"', "days": 1}]
THINKING = {"type": "enabled", "budget_tokens": 1024}


class City(pydantic.BaseModel):
    city: str
    celsius: int


def results(message) -> dict:
    """The results of the calls."""
    content = []
    for block in message.content:
        if block.type == "tool_use":
            text = f"{block.input['city']}: {block.input['days']}"
            content.append({"type": "tool_result", "tool_use_id": block.id, "content": text})
    return {"role": "user", "content": content}


class Asking:
    """Shared by both groups of tests."""

    def setUp(self):
        self.client = self.lane.anthropic()
        self.addCleanup(self.client.close)

    def arguments(self, scenario, messages=USER, **more):
        return {"model": self.lane.model(scenario), "messages": messages, "max_tokens": 2048, **more}

    def create(self, scenario, messages=USER, **more):
        return self.client.messages.create(**self.arguments(scenario, messages, **more))

    def accumulated(self, scenario, messages=USER, **more):
        """The final message of a stream, from the client's own accumulator."""
        with self.client.messages.stream(**self.arguments(scenario, messages, **more)) as stream:
            return stream.get_final_message()

    def both(self, scenario, messages=USER, **more):
        """The same answer, not streamed and streamed."""
        for way in (self.create, self.accumulated):
            with self.subTest(way=way.__name__):
                yield way(scenario, messages, **more)


@in_lanes("anthropic")
class Messages(Asking):
    def check_usage(self, usage, reasoning=0):
        self.assertEqual((usage.input_tokens, usage.cache_read_input_tokens), (20, 12))
        self.assertEqual(usage.output_tokens, 9 + reasoning)

    def test_text(self):
        system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
        for message in self.both("plain", system=system, stop_sequences=["END"], extra_body={"temperature": 0.5}):
            self.assertEqual((message.type, message.role), ("message", "assistant"))
            self.assertEqual(message.model, self.lane.answering("plain"))
            self.assertEqual([(block.type, block.text) for block in message.content], [("text", GREETING)])
            self.assertEqual((message.stop_reason, message.stop_sequence), ("end_turn", None))
            self.check_usage(message.usage)

    def test_the_order_of_a_stream(self):
        """Each block begins, grows and ends in turn, between one beginning and one end of the message."""
        events = [event for event in self.create("tools", tools=[WEATHER], stream=True) if event.type != "ping"]
        self.assertEqual(events[0].type, "message_start")
        self.assertEqual([event.type for event in events[-2:]], ["message_delta", "message_stop"])
        open_block, seen = None, []
        for event in events[1:-2]:
            if event.type == "content_block_start":
                self.assertIsNone(open_block)
                open_block = event.index
                seen.append((event.index, event.content_block.type))
            else:
                self.assertEqual(event.index, open_block)
                open_block = None if event.type == "content_block_stop" else open_block
        self.assertEqual((open_block, seen), (None, [(0, "text"), (1, "tool_use"), (2, "tool_use")]))

    def test_two_turns_with_parallel_tools(self):
        for message in self.both("tools", tools=[WEATHER]):
            self.assertEqual([block.type for block in message.content], ["text", "tool_use", "tool_use"])
            self.assertEqual((message.content[0].text, message.stop_reason), (LOOKING, "tool_use"))
            calls = message.content[1:]
            self.assertEqual([(call.name, call.input) for call in calls], [("get_weather", it) for it in CALLS])
            self.assertNotEqual(calls[0].id, calls[1].id)
            turns = [*USER, {"role": "assistant", "content": message.content}, results(message)]
            again = self.create("tools", turns, tools=[WEATHER])
            self.assertEqual([block.text for block in again.content], ['Paris: 2 / Zürich "HB": 1'])

    def test_the_text_stream(self):
        with self.client.messages.stream(**self.arguments("plain")) as stream:
            pieces = list(stream.text_stream)
        self.assertEqual("".join(pieces), GREETING)
        self.assertGreater(len(pieces), 3)

    def test_media(self):
        content = [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        ]
        expected = "image/png 70 bytes; image https://example.com/cat.png; application/pdf 15 bytes"
        for message in self.both("media", [{"role": "user", "content": content}]):
            self.assertEqual(message.content[0].text, expected)

    def test_a_large_image(self):
        """Larger than the values that enter the sandbox."""
        source = {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}
        message = self.create("media", [{"role": "user", "content": [{"type": "image", "source": source}]}])
        self.assertEqual(message.content[0].text, "image/png 300000 bytes")

    def test_a_parsed_answer(self):
        message = self.client.messages.parse(**self.arguments("schema"), output_format=City)
        self.assertEqual(message.parsed_output, City(city="Paris", celsius=18))

    def test_every_stop_reason(self):
        for scenario, reason in {"long": "max_tokens", "refuses": "refusal"}.items():
            for message in self.both(scenario):
                self.assertEqual(message.stop_reason, reason)

    def test_asking_for_thoughts_is_no_error(self):
        for message in self.both("thinking", thinking=THINKING):
            self.assertEqual([block.text for block in message.content if block.type == "text"], [GREETING])
            self.check_usage(message.usage, reasoning=4)

    def test_keys_stay_on_their_side(self):
        self.create("plain")
        _, headers, _ = gateway.upstream().last()
        self.assertIn(gateway.KEY, " ".join(headers.values()))
        self.assertNotIn(gateway.CLIENT_KEY, " ".join(headers.values()))

    def test_asynchronously(self):
        async def talk():
            async with self.lane.async_anthropic() as client:

                async def streamed():
                    async with client.messages.stream(**self.arguments("tools", tools=[WEATHER])) as stream:
                        return await stream.get_final_message()

                return await asyncio.gather(client.messages.create(**self.arguments("plain")), streamed())

        whole, tools = asyncio.run(talk())
        self.assertEqual(whole.content[0].text, GREETING)
        self.assertEqual([block.input for block in tools.content if block.type == "tool_use"], CALLS)


@in_lanes("anthropic", "direct", "relay", "forced")
class Thoughts(Asking):
    """Thoughts and their signatures, if the provider has them."""

    def test_thoughts_come_signed(self):
        for message in self.both("thinking", thinking=THINKING):
            thought = message.content[0]
            self.assertEqual((thought.type, thought.thinking, thought.signature), ("thinking", REASONING, SIGNATURE))

    def test_thoughts_go_back_as_they_came(self):
        for message in self.both("thinking", tools=[WEATHER], thinking=THINKING):
            self.assertEqual([block.type for block in message.content], ["thinking", "tool_use"])
            turns = [*USER, {"role": "assistant", "content": message.content}, results(message)]
            again = self.create("thinking", turns, tools=[WEATHER], thinking=THINKING)
            self.assertEqual(again.content[-1].text, "Paris: 1")
            # The upstream validates the signature; this test checks that it got one.
            _, _, body = gateway.upstream().last()
            self.assertEqual(body["messages"][1]["content"][0]["signature"], SIGNATURE)

    def test_tokens_are_counted(self):
        count = self.client.messages.count_tokens(model=self.lane.model("plain"), messages=USER, tools=[WEATHER])
        self.assertEqual(count.input_tokens, 101)


@in_lanes("anthropic", "direct", "relay")
class Untouched(Asking):
    """The relay lane: members that Weir does not know are passed on."""

    def test_unknown_members_arrive(self):
        more = {"x_made_up": {"b": 1.50, "a": [None]}}
        self.create("plain", extra_body=more, extra_headers={"anthropic-beta": "made-up-2026-01-01"})
        _, headers, body = gateway.upstream().last()
        self.assertEqual(body, {"max_tokens": 2048, "messages": USER, "model": "plain", **more})
        self.assertEqual(headers["anthropic-beta"], "made-up-2026-01-01")


@in_lanes("anthropic", "direct", "relay")
class Batches(Asking):
    """Batches, whose results the client reads at the address that the batch names."""

    def test_a_batch_is_made_and_its_results_are_read(self):
        params = {"model": "plain", "max_tokens": 2048, "messages": USER}
        batches = self.client.messages.batches
        batch = batches.create(requests=[{"custom_id": "a", "params": params}, {"custom_id": "b", "params": params}])
        batch = batches.retrieve(batch.id)
        self.assertEqual(batch.processing_status, "ended")
        self.assertTrue(batch.results_url.startswith(f"{self.lane.address}/v1/"), batch.results_url)
        results = list(batches.results(batch.id))
        self.assertEqual([it.custom_id for it in results], ["a", "b"])
        self.assertEqual(results[1].result.message.content[0].text, GREETING)
        self.assertIn(batch.id, [it.id for it in batches.list(limit=20)])
        self.assertEqual(batches.cancel(batch.id).results_url, batch.results_url)

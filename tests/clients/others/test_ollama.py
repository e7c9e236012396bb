"""The official Ollama client, `ollama`."""

import asyncio

import ollama

from gateway import in_lanes
from script import GREETING, MODELS
from turns import FUNCTION, NAME, QUESTION, RESULTS, Turn, Turns

USER = [{"role": "user", "content": QUESTION}]


class Asking:
    def setUp(self):
        self.headers = {"authorization": f"Bearer {self.lane.key}"}
        self.client = ollama.Client(host=self.lane.address, headers=self.headers, timeout=30)

    def chat(self, scenario, tools=False, messages=USER, **more):
        more |= {"tools": [FUNCTION]} if tools else {}
        return self.client.chat(model=self.lane.model(scenario), messages=messages, **more)


def turn(answers) -> Turn:
    out = Turn(raw=[])
    for answer in answers:
        out.text += answer.message.content or ""
        out.raw += answer.message.tool_calls or []
        if answer.done:
            out.finish, out.tokens = answer.done_reason, (answer.prompt_eval_count, answer.eval_count)
    out.calls = [(call.function.name, dict(call.function.arguments)) for call in out.raw]
    return out


@in_lanes("ollama")
class Ollama(Asking, Turns):
    failure = broken = ollama.ResponseError
    finishes = {"stop": "stop", "calls": "stop", "length": "length"}

    def whole(self, scenario, tools=False):
        return turn([self.chat(scenario, tools, options={"num_predict": 2048})])

    def streamed(self, scenario, tools=False):
        return turn(self.chat(scenario, tools, stream=True))

    def again(self, turn):
        results = [{"role": "tool", "tool_name": NAME, "content": it} for it in RESULTS]
        messages = [*USER, {"role": "assistant", "content": turn.text, "tool_calls": turn.raw}, *results]
        return self.chat("tools", True, messages).message.content

    def status(self, error):
        return error.status_code

    def test_generate(self):
        arguments = {"model": self.lane.model("plain"), "prompt": QUESTION}
        self.assertEqual(self.client.generate(**arguments).response, GREETING)
        pieces = list(self.client.generate(**arguments, stream=True))
        self.assertEqual("".join(piece.response for piece in pieces), GREETING)
        self.assertEqual([piece.done for piece in pieces].count(True), 1)

    def test_a_schema(self):
        schema = {"type": "object", "properties": {"city": {"type": "string"}, "celsius": {"type": "integer"}}}
        schema |= {"required": ["city", "celsius"], "additionalProperties": False}
        self.assertIn("Paris", self.chat("schema", format=schema).message.content)

    def test_asynchronously(self):
        async def talk():
            client = ollama.AsyncClient(host=self.lane.address, headers=self.headers)
            stream = await client.chat(model=self.lane.model("plain"), messages=USER, stream=True)
            return "".join([piece.message.content async for piece in stream])

        self.assertEqual(asyncio.run(talk()), GREETING)


@in_lanes("ollama", "direct", "relay", "forced", "translate")
class OllamaVectors(Asking):
    def test_vectors(self):
        answer = self.client.embed(model=self.lane.model("embed"), input=["a", "four"])
        self.assertEqual([list(it) for it in answer.embeddings], [[0, 1, 0.5], [1, 4, 0.5]])


@in_lanes("ollama", "direct", "relay", "translate")
class OllamaModels(Asking):
    def test_the_list(self):
        self.assertLessEqual({self.lane.model(name) for name in MODELS}, {it.model for it in self.client.list().models})

    def test_one(self):
        self.assertIn("completion", self.client.show(self.lane.model("plain")).capabilities)
        with self.assertRaises(ollama.ResponseError):
            self.client.show("no-such-model")

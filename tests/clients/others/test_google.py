"""The official Google client, `google-genai`."""

import asyncio
import json

import pydantic
from google import genai
from google.genai import errors, types

from gateway import in_lanes
from script import GREETING, MODELS
from turns import ABOUT, NAME, PARAMETERS, QUESTION, RESULTS, Turn, Turns

TOOLS = [types.Tool(function_declarations=[{"name": NAME, "description": ABOUT, "parameters_json_schema": PARAMETERS}])]
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


class City(pydantic.BaseModel):
    city: str
    celsius: int


class Asking:
    prefix = ""

    def setUp(self):
        options = types.HttpOptions(base_url=f"{self.lane.address}{self.prefix}/", timeout=30_000)
        self.client = genai.Client(api_key=self.lane.key, vertexai=False, http_options=options)
        self.models = self.client.models
        self.addCleanup(self.client.close)

    def arguments(self, scenario, tools=False, contents=QUESTION):
        more = {"tools": TOOLS, "automatic_function_calling": MANUAL} if tools else {}
        config = types.GenerateContentConfig(system_instruction="Be brief.", max_output_tokens=2048, **more)
        return {"model": self.lane.model(scenario), "contents": contents, "config": config}

    def whole(self, scenario, tools=False):
        return turn([self.models.generate_content(**self.arguments(scenario, tools))])

    def streamed(self, scenario, tools=False):
        return turn(self.models.generate_content_stream(**self.arguments(scenario, tools)))


def turn(answers) -> Turn:
    """Collects an answer of one or many pieces."""
    out = Turn(raw=types.Content(role="model", parts=[]))
    for answer in answers:
        for candidate in answer.candidates or []:
            parts = (candidate.content and candidate.content.parts) or []
            out.raw.parts += [part for part in parts if part.text != ""]
            out.text += "".join(part.text or "" for part in parts if not part.thought)
            calls = [part.function_call for part in parts if part.function_call]
            out.calls += [(call.name, dict(call.args)) for call in calls]
            out.finish = candidate.finish_reason.name if candidate.finish_reason else out.finish
        if usage := answer.usage_metadata:
            out.tokens = usage.prompt_token_count, usage.candidates_token_count
    return out


def spoken(text: str) -> str:
    """Tool results are an object here; other formats get its JSON."""
    return " / ".join(json.loads(it)["result"] if it.startswith("{") else it for it in text.split(" / "))


@in_lanes("gemini")
class Gemini(Asking, Turns):
    failure = broken = errors.APIError
    finishes = {"stop": "STOP", "calls": "STOP", "length": "MAX_TOKENS"}

    def again(self, turn):
        calls = [part.function_call for part in turn.raw.parts if part.function_call]
        results = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": result}))
            for call, result in zip(calls, RESULTS)
        ]
        question = types.Content(role="user", parts=[types.Part(text=QUESTION)])
        contents = [question, turn.raw, types.Content(role="user", parts=results)]
        return spoken(self.models.generate_content(**self.arguments("tools", True, contents)).text)

    def status(self, error):
        return error.code

    def test_a_parsed_answer(self):
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
        answer = self.models.generate_content(model=self.lane.model("schema"), contents=QUESTION, config=config)
        self.assertEqual(answer.parsed, City(city="Paris", celsius=18))

    def test_asynchronously(self):
        async def talk():
            ask = self.client.aio.models
            whole = await ask.generate_content(**self.arguments("plain"))
            stream = await ask.generate_content_stream(**self.arguments("plain"))
            return whole.text, "".join([answer.text or "" async for answer in stream])

        self.assertEqual(asyncio.run(talk()), (GREETING, GREETING))

    def test_functions_that_the_client_calls_itself(self):
        def get_weather(city: str, days: int) -> str:
            """The weather of a city"""
            return f"{city}: {days}"

        config = types.GenerateContentConfig(tools=[get_weather])
        answer = self.models.generate_content(model=self.lane.model("tools"), contents=QUESTION, config=config)
        self.assertEqual(spoken(answer.text), " / ".join(RESULTS))


@in_lanes("gemini", "relay", "translate")
class GeminiBelowThePrefix(Asking):
    """Lanes with a base url that has the prefix of the format, for an address that serves many formats."""

    prefix = "/genai"

    def test_text(self):
        for way in (self.whole, self.streamed):
            self.assertEqual(way("plain").text, GREETING)

    def test_models(self):
        self.assertIn(f"models/{self.lane.model('plain')}", {model.name for model in self.models.list()})


@in_lanes("gemini", "direct", "relay", "forced")
class GeminiTokens(Asking):
    def test_tokens_are_counted(self):
        self.assertEqual(self.models.count_tokens(model=self.lane.model("plain"), contents=QUESTION).total_tokens, 101)


@in_lanes("gemini", "direct", "relay", "forced", "translate")
class GeminiVectors(Asking):
    def test_vectors(self):
        model = self.lane.model("embed")
        answer = self.models.embed_content(model=model, contents=["a", "four"])
        # For models with this word in their names, the client requests a single vector for all inputs.
        expected = [[0, 5, 0.5]] if "gemini" in model else [[0, 1, 0.5], [1, 4, 0.5]]
        self.assertEqual([it.values for it in answer.embeddings], expected)


@in_lanes("gemini", "direct", "relay")
class GeminiModels(Asking):
    def test_the_list(self):
        listed = {model.name for model in self.models.list()}
        self.assertLessEqual({f"models/{self.lane.model(name)}" for name in MODELS}, listed)

    def test_one(self):
        self.assertEqual(self.models.get(model=self.lane.model("plain")).name, f"models/{self.lane.model('plain')}")
        with self.assertRaises(errors.ClientError):
            self.models.get(model="no-such-model")

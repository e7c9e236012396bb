"""Errors reach each client as the exception that its users catch."""

import anthropic
import openai

from gateway import in_lanes
from test_openai import USER


class Failing:
    """For both clients: `sdk` is the client's module, `ask` one request."""

    def check(self, kind, scenario, status, **more):
        with self.assertRaises(kind) as caught:
            self.ask(scenario, **more)
        self.assertEqual(caught.exception.status_code, status)
        self.assertEqual(caught.exception.response.headers["content-type"].split(";")[0], "application/json")
        return caught.exception

    def test_too_many_requests(self):
        error = self.check(self.sdk.RateLimitError, "limited", 429)
        self.assertEqual(error.response.headers["retry-after"], "7")
        self.assertIn("slow down", str(error))

    def test_what_the_provider_finds_wrong_is_said(self):
        error = self.check(self.sdk.BadRequestError, "invalid", 400)
        self.assertIn("temperature must be a number", str(error))

    def test_a_key_of_ours_is_not_the_clients_fault(self):
        """A 401 would make the client's user look for the mistake in the wrong key."""
        if self.lane.is_direct:
            self.check(self.sdk.AuthenticationError, "unauthorized", 401)
            return
        error = self.check(self.sdk.InternalServerError, "unauthorized", 502)
        self.assertNotIn("the key is wrong", str(error))
        self.assertEqual(error.response.headers["x-weir-error-source"], "upstream")

    def test_an_overloaded_provider(self):
        with self.assertRaises(self.sdk.APIStatusError) as caught:
            self.ask("overloaded")
        self.assertGreaterEqual(caught.exception.status_code, 500)

    def test_an_unknown_model(self):
        with self.assertRaises(self.sdk.NotFoundError):
            self.ask_model("no-such-model")

    def test_a_body_that_makes_no_sense(self):
        with self.assertRaises(self.sdk.BadRequestError):
            self.ask("plain", messages=7)

    def test_an_error_in_a_stream(self):
        with self.assertRaises(self.sdk.APIError):
            self.drain("errs")

    def test_a_stream_that_breaks(self):
        """Without Weir the connection just ends; with it the client gets an error in its own format."""
        with self.assertRaises(Exception if self.lane.is_direct else self.sdk.APIError):
            self.drain("breaks")

    def test_an_error_before_a_stream(self):
        with self.assertRaises(self.sdk.RateLimitError):
            self.drain("limited")

    def test_requests_have_an_id(self):
        if self.lane.is_direct:
            return
        error = self.check(self.sdk.BadRequestError, "invalid", 400)
        self.assertTrue(error.response.headers.get("x-request-id"))
        self.assertTrue(error.request_id)


@in_lanes("openai")
class OpenAIErrors(Failing):
    sdk = openai

    def setUp(self):
        self.client = self.lane.openai()
        self.addCleanup(self.client.close)

    def ask_model(self, model, messages=USER, **more):
        return self.client.chat.completions.create(model=model, messages=messages, **more)

    def ask(self, scenario, **more):
        return self.ask_model(self.lane.model(scenario), **more)

    def drain(self, scenario):
        return list(self.ask(scenario, stream=True))


@in_lanes("anthropic")
class AnthropicErrors(Failing):
    sdk = anthropic

    def setUp(self):
        self.client = self.lane.anthropic()
        self.addCleanup(self.client.close)

    def ask_model(self, model, messages=USER, **more):
        return self.client.messages.create(model=model, messages=messages, max_tokens=100, **more)

    def ask(self, scenario, **more):
        return self.ask_model(self.lane.model(scenario), **more)

    def drain(self, scenario):
        return list(self.ask(scenario, stream=True))


@in_lanes("openai", "translate")
class NotThere:
    """A feature that the provider lacks is an error with that reason, not a crash."""

    def test_embeddings_of_a_provider_without(self):
        with self.lane.openai() as client, self.assertRaises(openai.APIStatusError) as caught:
            client.embeddings.create(model=self.lane.model("embed"), input="x")
        self.assertIn(caught.exception.status_code, {400, 404, 501})

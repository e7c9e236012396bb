"""Lists of models: Weir's own, in each client's format."""

import anthropic
import openai

from gateway import in_lanes
from script import MODELS


@in_lanes("openai", "direct", "relay")
class OpenAIModels:
    def test_the_list(self):
        with self.lane.openai() as client:
            listed = {model.id: model for model in client.models.list()}
        self.assertLessEqual({self.lane.model(name) for name in MODELS}, set(listed))
        self.assertEqual({model.object for model in listed.values()}, {"model"})

    def test_one(self):
        with self.lane.openai() as client:
            self.assertEqual(client.models.retrieve(self.lane.model("plain")).id, self.lane.model("plain"))
            with self.assertRaises(openai.NotFoundError):
                client.models.retrieve("no-such-model")


@in_lanes("anthropic", "direct", "relay")
class AnthropicModels:
    def test_the_list(self):
        with self.lane.anthropic() as client:
            listed = {model.id: model for model in client.models.list()}
        self.assertLessEqual({self.lane.model(name) for name in MODELS}, set(listed))
        self.assertEqual({model.type for model in listed.values()}, {"model"})

    def test_one(self):
        with self.lane.anthropic() as client:
            self.assertEqual(client.models.retrieve(self.lane.model("plain")).id, self.lane.model("plain"))
            with self.assertRaises(anthropic.NotFoundError):
                client.models.retrieve("no-such-model")

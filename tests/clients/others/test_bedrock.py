"""The official client of Amazon Bedrock, `boto3`. It signs its requests with AWS keys; it sends a bearer token only
over https.
"""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

from gateway import in_lanes
from turns import ABOUT, NAME, PARAMETERS, QUESTION, RESULTS, Turn, Turns

USER = [{"role": "user", "content": [{"text": QUESTION}]}]
TOOLS = [{"toolSpec": {"name": NAME, "description": ABOUT, "inputSchema": {"json": PARAMETERS}}}]
CONFIG = Config(retries={"total_max_attempts": 1}, read_timeout=30)


class Asking:
    def setUp(self):
        keys = {"aws_access_key_id": self.lane.key, "aws_secret_access_key": "dummy", "region_name": "us-east-1"}
        session = boto3.session.Session(**keys)
        self.client = session.client("bedrock-runtime", endpoint_url=self.lane.address, config=CONFIG)
        self.addCleanup(self.client.close)

    def arguments(self, scenario, tools=False, messages=USER):
        more = {"toolConfig": {"tools": TOOLS}} if tools else {}
        more |= {"inferenceConfig": {"maxTokens": 2048}, "system": [{"text": "Be brief."}]}
        return {"modelId": self.lane.model(scenario), "messages": messages} | more

    def whole(self, scenario, tools=False):
        answer = self.client.converse(**self.arguments(scenario, tools))
        return turn(answer["output"]["message"]["content"], answer["stopReason"], answer["usage"])

    def streamed(self, scenario, tools=False):
        blocks, finish, usage = {}, None, None
        for event in self.client.converse_stream(**self.arguments(scenario, tools))["stream"]:
            (kind, body), = event.items()
            if kind == "contentBlockStart":
                blocks[body["contentBlockIndex"]] = {"toolUse": body["start"]["toolUse"] | {"input": ""}}
            elif kind == "contentBlockDelta":
                grow(blocks, body["contentBlockIndex"], body["delta"])
            elif kind == "messageStop":
                finish = body["stopReason"]
            elif kind == "metadata":
                usage = body["usage"]
        return turn([blocks[at] for at in sorted(blocks)], finish, usage)


def grow(blocks, index, delta):
    if "text" in delta:
        block = blocks.setdefault(index, {"text": ""})
        block["text"] += delta["text"]
    else:
        blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]


def turn(blocks, finish, usage) -> Turn:
    for use in (block["toolUse"] for block in blocks if "toolUse" in block):
        use["input"] = json.loads(use["input"]) if isinstance(use["input"], str) else use["input"]
    calls = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block]
    text = "".join(block.get("text", "") for block in blocks)
    return Turn(text, calls, finish, usage and (usage["inputTokens"], usage["outputTokens"]), blocks)


@in_lanes("bedrock")
class Bedrock(Asking, Turns):
    failure = ClientError
    # If the frames are relayed, no error frame is added when the connection breaks.
    broken = EventStreamError, ProtocolError
    finishes = {"stop": "end_turn", "calls": "tool_use", "length": "max_tokens"}
    input = 20

    def again(self, turn):
        uses = [block["toolUse"] for block in turn.raw if "toolUse" in block]
        results = [
            {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": result}]}}
            for use, result in zip(uses, RESULTS)
        ]
        messages = [*USER, {"role": "assistant", "content": turn.raw}, {"role": "user", "content": results}]
        return self.client.converse(**self.arguments("tools", True, messages))["output"]["message"]["content"][0]["text"]

    def status(self, error):
        return error.response["ResponseMetadata"]["HTTPStatusCode"]

    def test_errors_have_the_services_names(self):
        for scenario, name in {"limited": "ThrottlingException", "invalid": "ValidationException"}.items():
            with self.assertRaises(ClientError) as caught:
                self.whole(scenario)
            self.assertEqual(caught.exception.response["Error"]["Code"], name)
        with self.assertRaises(self.client.exceptions.ThrottlingException):
            self.whole("limited")


@in_lanes("bedrock", "direct", "relay", "forced")
class BedrockTokens(Asking):
    def test_tokens_are_counted(self):
        given = {"converse": {"messages": USER}}
        self.assertEqual(self.client.count_tokens(modelId=self.lane.model("plain"), input=given)["inputTokens"], 101)

"""`bedrock.converse`, with the official boto3 client."""

import functools

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EventStreamError

from ask import Ask
from meaning import Call, Candidate, Failure, Meaning, Usage, added, arguments

# The type of tools that the service runs itself: their calls are not for the client.
SERVER = "server_tool_use"
SETTINGS = Config(retries={"total_max_attempts": 1}, read_timeout=30, connect_timeout=10)
SESSION = boto3.Session(aws_access_key_id="AKIAFIDELITY", aws_secret_access_key="secret", region_name="us-east-1")


@functools.cache
def client(base: str):
    """Cached for each address: a client takes long to make."""
    return SESSION.client("bedrock-runtime", endpoint_url=base, config=SETTINGS)


def ask(ask: Ask) -> Meaning | Failure:
    words = {"modelId": ask.model, "messages": [{"role": "user", "content": [{"text": ask.prompt}]}]}
    if ask.tools:
        specs = [{"toolSpec": {"name": name, "inputSchema": {"json": ask.schema()}}} for name in ask.tools]
        words["toolConfig"] = {"tools": specs}
    try:
        if not ask.stream:
            return whole(client(ask.base).converse(**words))
        return streamed(client(ask.base).converse_stream(**words)["stream"])
    except EventStreamError as error:
        return Failure(None, str(error))
    except ClientError as error:
        return Failure(error.response["ResponseMetadata"]["HTTPStatusCode"], str(error))
    except BotoCoreError as error:
        return Failure(None, str(error))


def whole(answer: dict) -> Meaning:
    candidate = Candidate(finish=answer["stopReason"])
    for block in answer["output"].get("message", {}).get("content", []):
        if "text" in block:
            candidate.texts.append(block["text"])
        elif "citationsContent" in block:
            candidate.texts += [it["text"] for it in block["citationsContent"].get("content", [])]
        elif "toolUse" in block:
            call = block["toolUse"]
            if call.get("type") == SERVER:
                continue
            candidate.calls.append(Call(call["name"], call["input"], call["toolUseId"]))
        elif "reasoningContent" in block:
            candidate.thoughts.append(block["reasoningContent"].get("reasoningText", {}).get("text", ""))
    return Meaning([candidate], usage(answer.get("usage")))


def streamed(events) -> Meaning:
    candidate, calls, tokens = Candidate(), {}, None
    for event in events:
        if start := event.get("contentBlockStart"):
            call = start["start"].get("toolUse")
            if call and call.get("type") != SERVER:
                calls[start["contentBlockIndex"]] = [call["name"], "", call["toolUseId"]]
        elif piece := event.get("contentBlockDelta"):
            delta = piece["delta"]
            candidate.texts.append(delta.get("text", ""))
            candidate.thoughts.append(delta.get("reasoningContent", {}).get("text", ""))
            if "toolUse" in delta and piece["contentBlockIndex"] in calls:
                calls[piece["contentBlockIndex"]][1] += delta["toolUse"]["input"]
        elif stop := event.get("messageStop"):
            candidate.finish = stop["stopReason"]
        elif metadata := event.get("metadata"):
            tokens = usage(metadata.get("usage"))
    candidate.calls = [Call(name, arguments(text), id) for name, text, id in calls.values()]
    return Meaning([candidate], tokens)


def usage(tokens: dict | None) -> Usage | None:
    if tokens is None:
        return None
    read, written = tokens.get("cacheReadInputTokens"), tokens.get("cacheWriteInputTokens")
    return Usage(added(tokens["inputTokens"], read, written), tokens["outputTokens"], read, written)

"""The official client's sessions, against a scripted provider behind Weir."""

import atexit
import functools
import tempfile
import unittest
import urllib.request
from pathlib import Path

from openai import AsyncOpenAI, OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from weir_process import PLUGINS, free_port, start, stop, wait_for

from provider import KEY, WORDS, Provider

CLIENT = "weir-client-0123456789abcdef"
POOR = "weir-poor-0123456789abcdef"


@functools.cache
def provider() -> Provider:
    return Provider()


def configuration(port: int, more: str = "") -> str:
    url = provider().url
    return f"""
        log_level = "warn"
        [server]
        host = "127.0.0.1"
        port = {port}
        {more}
        [plugins]
        dir = "{PLUGINS}"
        [[providers]]
        name = "openai"
        adapter = "openai"
        url = "{url}/v1/"
        api_key = "{KEY}"
        [[models]]
        alias = "voice"
        target = {{ provider = "openai", model = "voice-upstream" }}
        [[models]]
        alias = "dear"
        target = {{ provider = "openai", model = "dear-upstream" }}
        [[clients]]
        name = "a"
        key = "{CLIENT}"
        [[clients]]
        name = "poor"
        key = "{POOR}"
        [[budgets]]
        name = "small"
        for = {{ key = "poor" }}
        tokens = 5000
        per = "month"
    """


def serve(scheme: str, more: str = "") -> str:
    """Starts Weir; returns its address."""
    folder = tempfile.TemporaryDirectory(prefix="weir-clients-")
    atexit.register(folder.cleanup)
    port = free_port()
    config, log = Path(folder.name, "weir.toml"), Path(folder.name, "log")
    config.write_text(configuration(port, more))
    process = start(config, log)
    # Registered last, so that it ends before its folder is removed.
    atexit.register(stop, process)
    address = f"{scheme}://127.0.0.1:{port}"
    wait_for(address, process, log)
    return address


@functools.cache
def plain() -> str:
    return serve("http")


def tokens(address: str, bucket: str) -> float:
    """The tokens that Weir has counted."""
    with urllib.request.urlopen(f"{address}/metrics") as page:
        lines = page.read().decode().splitlines()
    counts = [line for line in lines if line.startswith("weir_tokens_total{") and f'bucket="{bucket}"' in line]
    return sum(float(line.split()[-1]) for line in counts)


class Realtime(unittest.IsolatedAsyncioTestCase):
    def client(self, key=CLIENT) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{plain()}/v1", api_key=key)

    async def test_a_response(self):
        before = tokens(plain(), "output")
        async with self.client().realtime.connect(model="voice") as session:
            first = await session.recv()
            self.assertEqual((first.type, first.session.model), ("session.created", "voice-upstream"))
            await session.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            updated = await session.recv()
            self.assertEqual(updated.session.output_modalities, ["text"])
            content = [{"type": "input_text", "text": "Hello"}]
            await session.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            self.assertEqual((await session.recv()).type, "conversation.item.added")
            await session.response.create()
            text = ""
            async for event in session:
                if event.type == "response.output_text.delta":
                    text += event.delta
                elif event.type == "response.done":
                    self.assertEqual(event.response.usage.total_tokens, 18)
                    break
            self.assertEqual(text, "".join(WORDS))
        path, headers = provider().asked[-1]
        self.assertEqual(path, "/v1/realtime?model=voice-upstream")
        self.assertEqual(headers["authorization"], f"Bearer {KEY}")
        self.assertNotIn(CLIENT, str(headers))
        self.assertEqual(tokens(plain(), "output") - before, 7)

    async def test_a_large_message(self):
        async with self.client().realtime.connect(model="voice") as session:
            await session.recv()
            await session.input_audio_buffer.append(audio="A" * 1_000_000)
            await session.session.update(session={"type": "realtime"})
            self.assertEqual((await session.recv()).type, "session.updated")
        self.assertIn(1_000_000, [len(message.get("audio", "")) for message in provider().heard])

    def test_without_asyncio(self):
        client = OpenAI(base_url=f"{plain()}/v1", api_key=CLIENT)
        with client.realtime.connect(model="voice") as session:
            session.response.create()
            kinds = []
            for event in session:
                kinds.append(event.type)
                if event.type == "response.done":
                    break
            self.assertEqual(kinds[:2], ["session.created", "response.created"])

    async def test_a_wrong_key_and_an_unknown_model(self):
        for client, model, status in [(self.client("sk-wrong"), "voice", 401), (self.client(), "other", 404)]:
            with self.assertRaises(InvalidStatus) as refused:
                async with client.realtime.connect(model=model):
                    pass
            self.assertEqual(refused.exception.response.status_code, status)

    async def test_a_budget_that_is_over(self):
        async with self.client(POOR).realtime.connect(model="dear") as session:
            await session.recv()
            await session.response.create()
            kinds = []
            with self.assertRaises(ConnectionClosed) as closed:
                while True:
                    event = await session.recv()
                    kinds.append(event.type)
            self.assertEqual(kinds[-2:], ["response.done", "error"])
            self.assertEqual(event.error.type, "insufficient_quota")
            self.assertEqual(closed.exception.rcvd.code, 1008)

"""The official clients' sessions: `openai` and `google-genai`, against a scripted provider behind Weir."""

import atexit
import datetime
import functools
import ipaddress
import ssl
import tempfile
import unittest
import urllib.request
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google import genai
from google.genai import errors, types
from openai import AsyncOpenAI, OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from weir_process import ANY_CERTIFICATE, PLUGINS, free_port, start, stop, wait_for

from provider import CALL, KEY, LIVE, WORDS, Provider

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
        [[providers]]
        name = "gemini"
        adapter = "gemini"
        url = "{url}/v1beta/"
        api_key = "{KEY}"
        [[models]]
        alias = "voice"
        target = {{ provider = "openai", model = "voice-upstream" }}
        [[models]]
        alias = "dear"
        target = {{ provider = "openai", model = "dear-upstream" }}
        [[models]]
        alias = "live"
        target = {{ provider = "gemini", model = "live-upstream" }}
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


@functools.cache
def secure() -> tuple[str, str]:
    """Weir over TLS: its address, and the file with its certificate."""
    folder = Path(tempfile.mkdtemp(prefix="weir-clients-tls-"))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weir")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(*private))
    tls = f'tls = {{ cert = "{folder}/cert.pem", key = "{folder}/key.pem" }}'
    return serve("https", tls), str(folder / "cert.pem")


def tokens(address: str, bucket: str) -> float:
    """The tokens that Weir has counted."""
    with urllib.request.urlopen(f"{address}/metrics", context=ANY_CERTIFICATE) as page:
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

    async def test_an_ephemeral_key_with_a_configuration(self):
        wanted = {"type": "realtime", "model": "voice", "instructions": "Be brief.", "output_modalities": ["text"]}
        issued = await self.client().realtime.client_secrets.create(session=wanted)
        self.assertEqual(issued.session.instructions, "Be brief.")
        async with self.client(issued.value).realtime.connect(model="voice") as session:
            await session.response.create()
            kinds = []
            async for event in session:
                kinds.append(event.type)
                if event.type == "session.updated":
                    self.assertEqual(event.session.instructions, "Be brief.")
                if event.type == "response.done":
                    break
            self.assertEqual(kinds[:3], ["session.created", "session.updated", "response.created"])
        self.assertNotIn(issued.value, str(provider().asked[-1]))

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


class Live(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        # Parts of the client are marked as experimental.
        warnings.simplefilter("ignore")
        address, certificate = secure()
        trusted = {"ssl": ssl.create_default_context(cafile=certificate)}
        options = types.HttpOptions(base_url=address, async_client_args=trusted)
        self.address = address
        self.live = genai.Client(api_key=CLIENT, vertexai=False, http_options=options).aio.live

    async def test_a_turn(self):
        before = tokens(self.address, "output")
        async with self.live.connect(model="live", config={"response_modalities": ["TEXT"]}) as session:
            turn = types.Content(role="user", parts=[types.Part(text="Hello")])
            await session.send_client_content(turns=turn, turn_complete=True)
            messages = [message async for message in session.receive()]
            self.assertEqual("".join(message.text or "" for message in messages), "".join(WORDS))
            self.assertEqual(messages[-1].usage_metadata.response_token_count, 3)
        path, headers = provider().asked[-1]
        self.assertEqual((path, headers["x-goog-api-key"]), (LIVE, KEY))
        self.assertNotIn(CLIENT, str(headers))
        self.assertEqual(tokens(self.address, "output") - before, 3)

    async def test_audio(self):
        sound = bytes(range(256)) * 2_000
        async with self.live.connect(model="live", config={"response_modalities": ["AUDIO"]}) as session:
            await session.send_realtime_input(audio=types.Blob(data=sound, mime_type="audio/pcm;rate=16000"))
            messages = [message async for message in session.receive()]
            self.assertEqual(b"".join(message.data or b"" for message in messages), sound)

    async def test_a_call_of_a_tool(self):
        declaration = {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
        config = {"response_modalities": ["TEXT"], "tools": [{"function_declarations": [declaration]}]}
        async with self.live.connect(model="live", config=config) as session:
            turn = types.Content(role="user", parts=[types.Part(text="Is it raining?")])
            await session.send_client_content(turns=turn, turn_complete=True)
            text = ""
            async for message in session.receive():
                if message.tool_call:
                    [call] = message.tool_call.function_calls
                    self.assertEqual({"id": call.id, "name": call.name, "args": call.args}, CALL["functionCalls"][0])
                    result = types.FunctionResponse(id=call.id, name=call.name, response={"rain": False})
                    await session.send_tool_response(function_responses=result)
                text += message.text or ""
            self.assertEqual(text, "".join(WORDS))

    async def test_an_unknown_model_is_refused_with_the_reason(self):
        with self.assertRaises(errors.APIError) as refused:
            async with self.live.connect(model="other", config={"response_modalities": ["TEXT"]}):
                pass
        self.assertEqual(refused.exception.code, 1008)
        self.assertIn("other", str(refused.exception))

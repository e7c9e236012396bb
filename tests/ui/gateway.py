"""A Weir of a test's own, in front of a provider that answers what tests need."""

import json
import random
import shutil
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from local_server import LocalHandler, LocalServer
from weir_process import PLUGINS, free_port, start, stop, wait_for

TOKEN = "the-token-of-the-operator-0123"
READ_TOKEN = "the-token-that-only-reads-0123"
KEYS = {"search": "weir-search-0123456789", "support": "weir-support-0123456789"}
TIMEOUT = 60
#: What a hostile client or model would have a page show.
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> \u202e\u2066bidi \u001b[31mred"


class Provider(LocalServer):
    """Answers in the format of OpenAI's chat. The model's name decides: `limited` is refused, `broken` fails."""

    def __init__(self):
        self.random = random.Random(7)
        super().__init__(Answer)


class Answer(LocalHandler):
    def do_POST(self):
        asked = json.loads(self.read())
        model = asked["model"]
        if "input" in asked:
            vector = {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}
            return self.send(200, {"object": "list", "model": model, "data": [vector], "usage": {"prompt_tokens": 3, "total_tokens": 3}})
        if model == "limited":
            return self.send(429, {"error": {"message": "Rate limit reached", "type": "rate_limit_error"}})
        if model == "broken":
            return self.send(500, {"error": {"message": HOSTILE, "type": "server_error"}})
        into, out = self.server.random.randint(300, 9000), self.server.random.randint(40, 900)
        usage = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out,
                 "prompt_tokens_details": {"cached_tokens": into // 3}}
        head = {"id": "chatcmpl-1", "created": 1, "model": model}
        text = HOSTILE if model == "hostile" else "The weir holds the water back."
        if not asked.get("stream"):
            message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return self.send(200, head | {"object": "chat.completion", "choices": [message], "usage": usage})
        pieces = [head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
                  for word in text.split()]
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        pieces.append(head | {"object": "chat.completion.chunk", "choices": [last], "usage": usage})
        body = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
        self.send(200, body.encode(), "text/event-stream")


class Weir:
    """A running Weir. `settings` are added to its configuration; signatures by the keys in `trusted` count."""

    def __init__(self, provider, admin=f'token = "{TOKEN}"\nread_token = "{READ_TOKEN}"\n', store=True, settings="", keyed=True, port=None,
                 adapters=("openai", "anthropic"), fixtures=True, trusted=()):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-ui-")
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # A folder of its own: tests change which version serves.
        plugins = Path(self.folder.name, "plugins")
        plugins.mkdir()
        for adapter in adapters:
            shutil.copy(PLUGINS / f"{adapter}.wasm", plugins)
        if fixtures:
            shutil.copytree(PLUGINS / "openai/fixtures", plugins / "openai.fixtures")
        url = f"sqlite://{self.folder.name}/weir.db" if store else "none"
        lines = [f'log_level = "warn"\n[server]\nhost = "127.0.0.1"\nport = {self.port}\n[plugins]\ndir = "{plugins}"',
                 f'cache_dir = "{tempfile.gettempdir()}/weir-ui-cache"',
                 f'lock = "{self.folder.name}/plugins.lock"\ntrusted_keys = {json.dumps(trusted)}', f'[store]\nurl = "{url}"\nbodies = "all"', f"[admin]\n{admin}"]
        for name in ("first", "second"):
            lines.append(f'[[providers]]\nname = "{name}"\nadapter = "openai"\nurl = "{provider.url}/v1"\napi_key = "KEY"\n'
                         'retry = { max_retries = 0 }\nbreaker = { min_attempts = 1000000, max_cooldown = "0s" }')
        for model in ("gpt-4o", "gpt-4o-mini", "hostile", "limited", "broken"):
            lines.append(f'[[models]]\nalias = "{model}"\ntarget = {{ provider = "first", model = "{model}" }}')
        lines.append('[[models]]\nalias = "o3-mini"\ntranslate = true\ntarget = { provider = "second", model = "o3-mini" }')
        lines.append('[[models]]\nalias = "patient"\ntargets = [{ provider = "first", model = "broken" }, { provider = "second", model = "gpt-4o" }]')
        lines.append('[[models]]\nalias = "narrow"\nlimits = { requests_per_minute = 1 }\ntarget = { provider = "first", model = "gpt-4o" }')
        lines.append('[[models]]\nalias = "vectors"\ntarget = { provider = "first", model = "vectors" }')
        lines.append('[[models]]\nalias = "kept"\ncache = "1h"\nsemantic_cache = { embeddings = "vectors", wait = "1m" }\n'
                     'target = { provider = "first", model = "gpt-4o" }')
        for name, key in KEYS.items() if keyed else []:
            lines.append(f'[[clients]]\nname = "{name}"\nkey = "{key}"\nteam = "{name}"')
        self.config = Path(self.folder.name, "weir.toml")
        self.config.write_text("\n".join(lines) + "\n" + settings)
        self.start()

    def start(self):
        self.log = Path(self.folder.name, "log")
        self.process = start(self.config, self.log)
        wait_for(self.url, self.process, self.log, TIMEOUT)

    def stop(self):
        stop(self.process)

    def close(self):
        self.stop()
        self.folder.cleanup()

    def ask(self, method, path, body=None, headers=None):
        """Sends a request; returns status and text."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"} | (headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def get(self, path, token=TOKEN):
        return self.ask("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})[1]

    def chat(self, model, key="search", stream=False, text="Hello", headers=None):
        """A client's request."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
        return self.ask("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEYS[key]}"} | (headers or {}))

    def flood(self, count, connections=4, model="none-such"):
        """Sends requests for a model that there is none of, many on the way at the same time, so that Weir alone is at work."""
        body = json.dumps({"model": model, "messages": []})
        one = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEYS['search']}\r\n"
               f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}").encode()

        def send(rest):
            with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as connection:
                while rest > 0:
                    many = min(rest, 50)
                    connection.sendall(one * many)
                    answers = b""
                    while answers.count(b"HTTP/1.1 404") < many or not answers.endswith(b"}"):
                        part = connection.recv(1 << 16)
                        if not part:
                            raise AssertionError(f"the connection was closed: {answers[-500:]}")
                        answers += part
                    rest -= many

        threads = [threading.Thread(target=send, args=(count // connections,)) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def until_logged(self, count, search=""):
        """Waits until the log has so many requests; returns them, newest first."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            items = json.loads(self.get(f"/admin/v1/requests?limit=1000{search}"))["items"]
            if len(items) >= count:
                return items
            time.sleep(0.05)
        raise AssertionError(f"the log has {len(items)} requests, not {count}")

    def until_kept(self, request):
        """Waits until a request's content can be read."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if self.ask("GET", f"/admin/v1/requests/{request}/exchange", headers={"authorization": f"Bearer {TOKEN}"})[0] == 200:
                return
            time.sleep(0.05)
        raise AssertionError(f"the content of {request} is not kept")

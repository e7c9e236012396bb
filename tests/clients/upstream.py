"""A scripted provider on its own port: the endpoints of every format under one address."""

import json

import anthropic_format
import bedrock_format
import cohere_format
import gemini_format
import ollama_format
import openai_format
import responses_format
from local_server import LocalHandler, LocalServer
from script import Refused, Stream

KEY = "sk-upstream"
# Formats with their own paths.
PLACES = {"/v1beta/": gemini_format, "/api/": ollama_format, "/v2/": cohere_format, "/model/": bedrock_format}


class Upstream:
    """Runs until the process ends; records its requests."""

    def __init__(self):
        self.requests: list[tuple[str, dict, dict]] = []  # path, headers, body
        self.server = LocalServer(handler(self))
        self.url = self.server.url

    def last(self) -> tuple[str, dict, dict]:
        """The latest request: path, headers (lower-case names), body."""
        return self.requests[-1]


def sse(event: tuple[str, str] | str | None) -> bytes | None:
    """An event with a name, or without."""
    if event is None:
        return None
    name, data = event if isinstance(event, tuple) else (None, event)
    return ((f"event: {name}\n" if name else "") + f"data: {data}\n\n").encode()


def handler(upstream: Upstream):
    class Handler(LocalHandler):
        def do_GET(self):
            self.answer({})

        def do_POST(self):
            body = self.read()
            try:
                self.answer(json.loads(body) if body else {})
            except json.JSONDecodeError:
                self.send(400, {"error": {"message": "the body is not JSON", "type": "invalid_request_error"}})

        def answer(self, body: dict):
            path = self.path.split("?")[0]
            headers = {name.lower(): value for name, value in self.headers.items()}
            upstream.requests.append((path, headers, body))
            if "x-goog-api-key" in headers:
                path = path.replace("/v1/", "/v1beta/", 1)
            place = next((it for it in PLACES if path.startswith(it)), None)
            rest = anthropic_format if "anthropic-version" in headers or "messages" in path else openai_format
            format = PLACES.get(place, rest)
            try:
                self.check_key(headers, format)
                answer = format.route(path.removeprefix(place), body) if place else self.route(path, body, format)
            except Refused as refused:
                return self.refuse(refused, format)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                return self.refuse(Refused(400, "invalid_request", f"malformed: {error!r}"), format)
            if isinstance(answer, list):
                answer = Stream("text/event-stream; charset=utf-8", [sse(it) for it in answer])
            if isinstance(answer, Stream):
                return self.stream(answer)
            self.send(200, answer)

        def refuse(self, refused: Refused, format):
            more = format.headers(refused) if format is bedrock_format else {}
            self.send(refused.status, format.error(refused), headers=refused.headers | more)

        def check_key(self, headers: dict, format):
            """Checks for the upstream's key, and no other; Anthropic takes it in either header, Gemini in its own."""
            given = [headers.get("authorization")]
            if format is gemini_format:
                given = [f"Bearer {headers.get('x-goog-api-key')}"]
            if format is anthropic_format and "x-api-key" in headers:
                given = [f"Bearer {headers['x-api-key']}", *filter(None, given)]
            if format is bedrock_format and str(given[0]).startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/"):
                return
            if any(it != f"Bearer {KEY}" for it in given):
                raise Refused(401, "authentication", "the key is wrong")

        def route(self, path: str, body: dict, format):
            routes = {
                "/v1/chat/completions": openai_format.chat,
                "/v1/embeddings": openai_format.embeddings,
                "/v1/responses": responses_format.responses,
                "/v1/messages": anthropic_format.messages,
                "/v1/messages/count_tokens": anthropic_format.count_tokens,
            }
            if path in routes and self.command == "POST":
                return routes[path](body)
            if path.startswith("/v1/messages/batches"):
                return anthropic_format.batches(self.command, path, body, f"http://{self.headers['host']}")
            if path == "/v1/models":
                return format.models()
            if path.startswith("/v1/models/"):
                return format.model(path.removeprefix("/v1/models/"))
            raise Refused(404, "not_found", f"there is no {path}")

        def stream(self, answer: Stream):
            """Sends each piece separately; a piece `None` breaks the connection."""
            self.send_response(200)
            self.send_header("content-type", answer.kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for data in answer.pieces:
                if data is None:
                    self.close_connection = True
                    return
                self.piece(data)
            self.wfile.write(b"0\r\n\r\n")

        def piece(self, data: bytes):
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

    return Handler

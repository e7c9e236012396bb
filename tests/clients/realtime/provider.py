"""A scripted provider of sessions: the Realtime API and the Live API on one port."""

import json
import threading
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

KEY = "sk-upstream-0123456789abcdef"
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
WORDS = ["Blue ", "skies \u2600"]
CALL = {"functionCalls": [{"id": "call_1", "name": "weather", "args": {"city": "Oslo"}}]}


def camel(name: str) -> str:
    """`client_content` as `clientContent`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


class Provider:
    """Runs until the process ends; records the requests for sessions."""

    def __init__(self):
        self.asked: list[tuple[str, dict]] = []  # path and query, headers
        self.heard: list[dict] = []
        server = serve(self.session, "127.0.0.1", 0, process_request=self.admit, max_size=None)
        self.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def admit(self, connection: ServerConnection, request):
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.asked.append((request.path, headers))
        keys = [headers.get("authorization"), headers.get("x-goog-api-key")]
        if f"Bearer {KEY}" not in keys and KEY not in keys:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no key")
        return None

    def session(self, connection: ServerConnection):
        path = urlsplit(connection.request.path)
        try:
            if path.path == LIVE:
                self.live(connection)
            else:
                self.realtime(connection, parse_qs(path.query)["model"][0])
        except ConnectionClosed:
            pass

    def hear(self, connection: ServerConnection) -> dict:
        message = json.loads(connection.recv())
        self.heard.append(message)
        return message

    def realtime(self, connection: ServerConnection, model: str):
        def say(kind: str, **members):
            connection.send(json.dumps({"type": kind, "event_id": "event_1", **members}))

        session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": model}
        say("session.created", session=session)
        while True:
            message = self.hear(connection)
            match message["type"]:
                case "session.update":
                    say("session.updated", session=session | message["session"])
                case "conversation.item.create":
                    say("conversation.item.added", item=message["item"], previous_item_id=None)
                case "response.create":
                    place = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
                    say("response.created", response={"id": "resp_1", "object": "realtime.response", "status": "in_progress"})
                    for words in WORDS:
                        say("response.output_text.delta", delta=words, **place)
                    say("response.output_text.done", text="".join(WORDS), **place)
                    output = 4_900 if model == "dear-upstream" else 7
                    usage = {
                        "total_tokens": 11 + output,
                        "input_tokens": 11,
                        "output_tokens": output,
                        "input_token_details": {"text_tokens": 11, "audio_tokens": 0, "cached_tokens": 0},
                        "output_token_details": {"text_tokens": output, "audio_tokens": 0},
                    }
                    done = {"id": "resp_1", "object": "realtime.response", "status": "completed", "usage": usage}
                    say("response.done", response=done)

    def live(self, connection: ServerConnection):
        def say(message: dict):
            connection.send(json.dumps(message).encode())

        def end():
            usage = {"promptTokenCount": 5, "responseTokenCount": 3, "totalTokenCount": 8}
            say({"serverContent": {"turnComplete": True}, "usageMetadata": usage})

        setup = self.hear(connection)["setup"]
        if setup["model"] != "models/live-upstream":
            connection.close(1007, f"unknown model {setup['model']}")
            return
        say({"setupComplete": {}})
        while True:
            # The service takes either spelling of a member, and its client sends both.
            message = {camel(name): value for name, value in self.hear(connection).items()}
            if "setup" in message:
                connection.close(1007, "setup must be sent once")
                return
            if "clientContent" in message and setup.get("tools"):
                say({"toolCall": CALL})
            elif "clientContent" in message or "toolResponse" in message:
                for words in WORDS:
                    say({"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": words}]}}})
                end()
            elif audio := message.get("realtimeInput", {}).get("audio"):
                data = {"mimeType": "audio/pcm;rate=24000", "data": audio["data"]}
                say({"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": data}]}}})
                end()

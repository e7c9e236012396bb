"""The provider: a local server that answers every request with the prepared recording, and records the requests."""

import json
from dataclasses import dataclass

from data import Recording
from local_server import LocalHandler, LocalServer

# Streams are cut at places that are unrelated to frames or characters.
PIECE = 617


@dataclass
class Asked:
    """A request as it arrived."""

    path: str
    headers: dict
    body: object


class Replay:
    """Runs until the process ends."""

    def __init__(self):
        self.recording: Recording | None = None
        self.asked: list[Asked] = []
        self.server = LocalServer(handler(self))
        self.url = self.server.url

    def lay_out(self, recording: Recording):
        self.recording = recording
        self.asked.clear()


def handler(replay: Replay):
    class Handler(LocalHandler):
        def do_GET(self):
            self.answer(None)

        def do_POST(self):
            data = self.body()
            try:
                self.answer(json.loads(data))
            except ValueError:
                self.answer(data)

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.read()
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def answer(self, body: object):
            replay.asked.append(Asked(self.path, {name.lower(): it for name, it in self.headers.items()}, body))
            recording = replay.recording
            if not recording.stream:
                return self.send(recording.status, recording.body, recording.kind)
            self.send_response(recording.status)
            self.send_header("content-type", recording.kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for start in range(0, len(recording.body), PIECE):
                piece = recording.body[start : start + PIECE]
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    return Handler

"""Spans of Weir in a real OpenTelemetry collector, over HTTP and over gRPC.

COLLECTOR names the program that `main.go` beside this file is built to; `cargo xtask deploy` does so.
"""

import json
import os
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

import weir_process
from local_server import LocalHandler, LocalServer

ANSWER = {
    "id": "chatcmpl-7", "object": "chat.completion", "created": 1_795_219_200, "model": "gpt-served",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Good day."}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}
QUESTION = {"model": "small", "max_tokens": 16, "messages": [{"role": "user", "content": "A good day to you"}]}
# As the collector prints them, of a question in Anthropic's format to a provider of OpenAI's.
ATTRIBUTES = [
    "gen_ai.operation.name: Str(chat)",
    "gen_ai.request.model: Str(gpt-asked)",
    "gen_ai.response.model: Str(gpt-served)",
    "gen_ai.response.id: Str(chatcmpl-7)",
    'gen_ai.response.finish_reasons: Slice(["stop"])',
    "gen_ai.usage.input_tokens: Int(7)",
    "gen_ai.usage.output_tokens: Int(3)",
]
COLLECTOR = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}}}
exporters: {{debug: {{verbosity: detailed}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}
"""
WEIR = """
[server]
port = {port}
[store]
url = "none"
[plugins]
dir = {plugins}
[[models]]
alias = "small"
target = {{ url = "{upstream}/v1/", model = "gpt-asked", api_key = "sk-upstream-0123456789" }}
type = "openai"
[traces]
endpoint = "http://127.0.0.1:{collector}"
protocol = "{protocol}"
service = "weir-over-{protocol}"
"""


class Provider(LocalHandler):
    """Answers each question alike."""

    def do_POST(self):
        self.read()
        self.send(200, ANSWER)


class Collector(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-collector-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.provider = LocalServer(Provider)
        self.addCleanup(self.provider.close)
        self.ports = {"grpc": weir_process.free_port(), "http": weir_process.free_port()}
        self.printed = self.folder / "spans"
        with self.printed.open("wb") as sink:
            command = [os.environ["COLLECTOR"], "--config", "yaml:" + COLLECTOR.format(**self.ports)]
            collector = subprocess.Popen(command, stdout=sink, stderr=sink)
        self.addCleanup(weir_process.stop, collector)
        self.until("Everything is ready")

    def until(self, text):
        """Waits until the collector has printed this; returns all that it has."""
        try:
            weir_process.until(text, lambda: text in self.printed.read_text(errors="replace"), seconds=60)
        except SystemExit as error:
            self.fail(f"{error}\n{self.printed.read_text(errors='replace')}")
        return self.printed.read_text(errors="replace")

    def ask(self, protocol):
        """Sends a question to a Weir that sends its spans by this protocol, and ends it, which sends what is left."""
        port, config, log = weir_process.free_port(), self.folder / "weir.toml", self.folder / f"{protocol}.log"
        config.write_text(WEIR.format(
            port=port, plugins=json.dumps(str(weir_process.PLUGINS)), upstream=self.provider.url,
            collector=self.ports[protocol], protocol=protocol))
        weir = weir_process.start(config, log)
        try:
            address = f"http://127.0.0.1:{port}"
            weir_process.wait_for(address, weir, log)
            head = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
            request = urllib.request.Request(f"{address}/v1/messages", json.dumps(QUESTION).encode(), head)
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.assertEqual(json.load(answer)["content"][0]["text"], "Good day.")
        finally:
            weir_process.stop(weir)

    def test_spans_arrive_over_both_protocols(self):
        for protocol in ["http", "grpc"]:
            with self.subTest(protocol):
                before = len(self.printed.read_text(errors="replace"))
                self.ask(protocol)
                printed = self.until(f"service.name: Str(weir-over-{protocol})")[before:]
                for attribute in ATTRIBUTES:
                    self.assertIn(attribute, self.until(attribute)[before:])
                self.assertNotIn("A good day to you", printed, "contents are in no span unless that is asked for")


if __name__ == "__main__":
    unittest.main()

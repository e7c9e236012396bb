"""Histograms of Weir in a real Prometheus: native ones where it takes them, and classic ones where it does not.

PROMETHEUS names the program; `cargo xtask deploy` does so.
"""

import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

import weir_process
from local_server import LocalHandler, LocalServer

ANSWER = {
    "id": "chatcmpl-7", "object": "chat.completion", "created": 1_795_219_200, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Good day."}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}
QUESTION = {"model": "small", "max_tokens": 16, "messages": [{"role": "user", "content": "A good day to you"}]}
# Seconds that the provider takes: more than 0.1, where one of the few classic buckets begins.
PAUSE = 0.2
# Where those above end.
CLASSIC = [0.5, 1, 2.5, 5, 10, 30, 120]
QUESTIONS = 12
# Bounds of a native histogram's buckets are a factor of 2^(1/8) apart.
FACTOR = 2 ** (1 / 8)
DURATION = "weir_request_duration_seconds"
PROMETHEUS = """
global: {{scrape_interval: 500ms}}
scrape_configs:
  - {{job_name: native, static_configs: [{{targets: ["127.0.0.1:{native}"]}}]}}
  - {{job_name: few, static_configs: [{{targets: ["127.0.0.1:{few}"]}}]}}
"""
WEIR = """
[server]
port = {port}
[store]
url = "none"
[plugins]
dir = {plugins}
[metrics]
buckets = "{buckets}"
gen_ai = true
[[models]]
alias = "small"
target = {{ url = "{upstream}/v1/", model = "m", api_key = "sk-upstream-0123456789" }}
type = "openai"
"""


class Provider(LocalHandler):
    """Answers each question alike, and as slowly."""

    def do_POST(self):
        self.read()
        time.sleep(PAUSE)
        self.send(200, ANSWER)


class Server:
    """A Prometheus."""

    def __init__(self, test, name, words):
        self.test, self.log = test, test.folder / f"{name}.log"
        port = weir_process.free_port()
        self.address = f"http://127.0.0.1:{port}"
        config = test.folder / "prometheus.yml"
        command = [os.environ["PROMETHEUS"], f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                   f"--storage.tsdb.path={test.folder / name}", *words]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=test.folder)
        test.addCleanup(weir_process.stop, self.process)

    def value(self, expression):
        """The value of an expression that gives one series, or None."""
        words = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.address}/api/v1/query?{words}", timeout=30) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return None
        self.test.assertLessEqual(len(found), 1, f"{expression}: {found}")
        # A native histogram has no single value.
        return float(found[0]["value"][1]) if found and "value" in found[0] else None

    def until(self, expression, expected):
        """Waits until an expression has this value."""
        try:
            weir_process.until(expression, lambda: self.value(expression) == expected, seconds=60, pause=0.1)
        except SystemExit as error:
            log = self.log.read_text(errors="replace")
            self.test.fail(f"{error}: {self.value(expression)} is not {expected}\n{log}")


class Histograms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-prometheus-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.provider = LocalServer(Provider)
        self.addCleanup(self.provider.close)
        self.ports = {buckets: self.serve(buckets) for buckets in ["native", "few"]}
        (self.folder / "prometheus.yml").write_text(PROMETHEUS.format(**self.ports))

    def serve(self, buckets):
        """Starts a Weir with these buckets; returns its port."""
        port, config, log = weir_process.free_port(), self.folder / f"{buckets}.toml", self.folder / f"{buckets}.log"
        config.write_text(WEIR.format(
            port=port, plugins=json.dumps(str(weir_process.PLUGINS)), upstream=self.provider.url, buckets=buckets))
        weir = weir_process.start(config, log)
        self.addCleanup(weir_process.stop, weir)
        weir_process.wait_for(f"http://127.0.0.1:{port}", weir, log)
        return port

    def ask(self, buckets):
        """Sends a question; returns how long the answer took."""
        address = f"http://127.0.0.1:{self.ports[buckets]}/v1/chat/completions"
        request = urllib.request.Request(address, json.dumps(QUESTION).encode(), {"content-type": "application/json"})
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual(json.load(answer)["choices"][0]["message"]["content"], "Good day.")
        return time.monotonic() - begun

    def figure(self, buckets, series):
        """The sum of a series on the page of a Weir, as text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[buckets]}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0] == series)

    def test_native_histograms_are_taken_and_classic_ones_stay(self):
        taking = Server(self, "taking", ["--enable-feature=native-histograms"])
        older = Server(self, "older", [])
        native, few = f'{DURATION}{{job="native"}}', f'{DURATION}_bucket{{job="few",le="+Inf"}}'
        classic = few.replace('"few"', '"native"')
        # A series begins with its first event, and a rate with the second picture of it.
        for buckets in self.ports:
            self.ask(buckets)
        taking.until(f"histogram_count({native})", 1)
        for server, series in [(taking, few), (older, few), (older, classic)]:
            server.until(series, 1)
        took = sorted(self.ask("native") for _ in range(QUESTIONS))
        slowest = max(took[-1], self.ask("few"))
        taking.until(f"histogram_count({native})", 1 + QUESTIONS)
        older.until(classic, 1 + QUESTIONS)
        for server in [taking, older]:
            server.until(few, 2)

        with self.subTest("the quantile is that of the bucket in which the requests are"):
            quantile = taking.value(f"histogram_quantile(0.5, rate({native}[2m]))")
            self.assertIsNotNone(quantile)
            self.assertGreater(quantile, PAUSE / FACTOR)
            self.assertLess(quantile, took[QUESTIONS // 2] * FACTOR)
        with self.subTest("sums are those of the page as text"):
            total = self.figure("native", f"{DURATION}_sum")
            self.assertEqual(taking.value(f"histogram_sum({native})"), total)
            self.assertEqual(self.figure("native", f"{DURATION}_count"), 1 + QUESTIONS)
        with self.subTest("a share between bounds that no classic bucket has"):
            between = f"histogram_fraction({PAUSE / FACTOR}, {took[-1] * FACTOR}, {native})"
            self.assertGreater(taking.value(between), (QUESTIONS - 1) / (1 + QUESTIONS))
        with self.subTest("tokens"):
            usage = 'gen_ai_client_token_usage{job="native",gen_ai_token_type="input"}'
            self.assertEqual(taking.value(f"histogram_sum({usage})"), 7 * (1 + QUESTIONS))
            seven = taking.value(f"histogram_quantile(0.5, {usage})")
            self.assertTrue(7 / FACTOR <= seven <= 7 * FACTOR, seven)
        with self.subTest("a histogram without an event is native as well"):
            self.assertEqual(taking.value('histogram_count(weir_queue_wait_seconds{job="native"})'), 0)
        with self.subTest("counters and gauges come in the same format"):
            for server in [taking, older]:
                self.assertEqual(server.value('sum(weir_requests_total{job="native"})'), 1 + QUESTIONS)
                self.assertEqual(server.value('weir_config_last_reload_successful{job="native"}'), 1)
        with self.subTest("the board's expression works where native histograms are not taken"):
            end = min(bound for bound in CLASSIC if bound >= slowest)
            for job in self.ports:
                board = f'histogram_quantile(0.5, sum by (le) (rate({DURATION}_bucket{{job="{job}"}}[2m])))'
                self.assertTrue(0.1 < older.value(board) <= end, older.value(board))
        with self.subTest("classic ones are as before where native ones are taken"):
            for le, count in [("0.1", 0), ("+Inf", 2)]:
                self.assertEqual(taking.value(f'{DURATION}_bucket{{job="few",le="{le}"}}'), count)
            self.assertIsNone(taking.value(f'histogram_count({DURATION}{{job="few"}})'))


if __name__ == "__main__":
    unittest.main()

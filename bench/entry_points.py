#!/usr/bin/env python3
"""What a request costs at each entry point: CPU of the gateway's process, in interleaved rounds.

    entry_points.py --weir target/release/weir --plugins plugins --tools FOLDER [--rounds 5] [--requests 20000] [--gateway-cpus 0 --load-cpus 1]

FOLDER holds the programs `mock-upstream` and `loadgen` of the side-by-side benchmark. Calls of gRPC need `h2load` (Debian:
nghttp2-client). Measured are the JSON relay, the same request by gRPC and by pass-through, a kept answer, the relay with the guard
`regex`, and paced streams with and without it; the latter translated, too, where the guard reads what is read anyway. A round
whose requests did not all get their answer fails.
"""

import argparse
import contextlib
import json
import re
import statistics
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from measured import CONNECTIONS, KEY, answers, cpu_seconds, free_port, pinned, post, until

PIECES = 200
GAP_US = 2000
STREAMS = 32

CONFIG = """
log_level = "warn"
[server]
host = "127.0.0.1"
port = {port}
[plugins]
dir = "{plugins}"
[[providers]]
name = "mock"
adapter = "openai"
url = "{upstream}/v1/"
api_key = "sk-mock-0123456789abcdef"
passthrough = ["POST *"]
[[models]]
alias = "plain"
target = {{ provider = "mock", model = "mock-model" }}
[[models]]
alias = "kept"
target = {{ provider = "mock", model = "mock-model" }}
cache = "1h"
[[models]]
alias = "guarded"
target = {{ provider = "mock", model = "guarded-model" }}
[[models]]
alias = "translated"
translate = true
target = {{ provider = "mock", model = "mock-model" }}
[[models]]
alias = "translated-guarded"
translate = true
target = {{ provider = "mock", model = "guarded-model" }}
# Pass-through reaches no model that a guard is for, so the guarded one has a name of its own.
[[guards]]
name = "regex"
for = {{ models = ["*guarded"] }}
grants = {{ prompt = true, answer = true }}
options = {{ action = "deny", patterns = [{{ name = "project", pattern = "project-[0-9]{{4}}-(north|south)" }}] }}
[[clients]]
name = "bench"
key = "{key}"
passthrough = ["mock POST *"]
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000, help="of each entry point in each round; a fortieth as many streams")
    parser.add_argument("--gateway-cpus", default="0")
    parser.add_argument("--load-cpus", default="1")
    return parser.parse_args()


# ---- the request by gRPC ----------------------------------------------------------------------------------------


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, content):
    """A field of bytes, text or a message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def turn(role, text):
    part = field(3, field(1, field(1, text)))  # parts, text, text
    return field(2, field(1, field(role, b"")) + part)  # messages, role


def call(model):
    """A prefixed `GenerateRequest` of about 2 KB: system text and three turns, as the load generator sends them."""
    words = "the gateway passes words on and counts them, one line after the other; " * 9
    turns = [turn(1, "You are a careful assistant. Answer in plain words.")]
    turns += [turn(role, words) for role in (3, 4, 3)]  # user, assistant, user
    chat = field(1, model) + b"".join(turns) + varint(8 << 3) + varint(1024)
    message = field(1, chat)
    return b"\0" + len(message).to_bytes(4, "big") + message


# ---- the entry points -------------------------------------------------------------------------------------------


class EntryPoints:
    def __init__(self, args, folder):
        self.args, self.folder, self.programs = args, Path(folder), []
        self.upstream = f"http://127.0.0.1:{self.run_mock()}"
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        config = self.folder / "weir.toml"
        plugins = args.plugins.resolve()
        config.write_text(CONFIG.format(port=port, plugins=plugins, upstream=self.upstream, key=KEY))
        command = [args.weir.resolve(), "serve", "--config", config]
        log = (self.folder / "weir.log").open("wb")
        self.weir = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, preexec_fn=pinned(args.gateway_cpus))
        self.programs.append(self.weir)
        body = {"model": "plain", "messages": [{"role": "user", "content": "hi"}]}
        bearer = {"authorization": f"Bearer {KEY}"}
        until("a first answer", lambda: answers(f"{self.address}/v1/chat/completions", body, bearer))
        (self.folder / "call").write_bytes(call("plain"))

    def run_mock(self):
        port = free_port()
        command = [self.args.tools.resolve() / "mock-upstream", "--listen", f"127.0.0.1:{port}"]
        self.programs.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=pinned(self.args.load_cpus)))
        until("the mock's start", lambda: answers(f"http://127.0.0.1:{port}/__mock/reset"))
        return port

    def stop(self):
        for program in reversed(self.programs):
            program.terminate()
            program.wait(30)

    def served(self):
        with urllib.request.urlopen(f"{self.upstream}/__mock/stats", timeout=30) as answer:
            return json.load(answer)["requests"]

    def load(self, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, preexec_fn=pinned(self.args.load_cpus))
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}\n{done.stdout}")
        return done.stdout

    def http(self, path, model, count, stream=False):
        marks, connections = (PIECES, STREAMS) if stream else (2, CONNECTIONS)
        command = [self.args.tools.resolve() / "loadgen", "--url", self.address + path, "--model", model, "--quiet"]
        command += ["--dialect", "openai", "--history-kb", "2", "--expect-markers", str(marks), "--timeout", "60"]
        command += ["--connections", str(connections), "--warmup", "0", "--duration", "600", "--requests", str(count)]
        command += ["--header", f"authorization: Bearer {KEY}"] + (["--stream"] if stream else [])
        out = json.loads(self.load(command))
        return out["ok"]

    def grpc(self, count):
        head = ["content-type: application/grpc", "te: trailers", f"authorization: Bearer {KEY}"]
        command = ["h2load", "-c", str(CONNECTIONS), "-m", "1", "-n", str(count), "-d", str(self.folder / "call")]
        command += [word for line in head for word in ("-H", line)]
        out = self.load([*command, f"{self.address}/weir.v1.Inference/Generate"])
        return int(re.search(r"status codes: (\d+) 2xx", out).group(1))

    def lanes(self):
        chat, streams = "/v1/chat/completions", max(STREAMS, self.args.requests // 40)
        count = self.args.requests
        return {
            "relay": (count, lambda n: self.http(chat, "plain", n)),
            "grpc": (count, self.grpc),
            "pass-through": (count, lambda n: self.http("/passthrough/mock/chat/completions", "mock-model", n)),
            "kept answer": (count, lambda n: self.http(chat, "kept", n)),
            "relay, regex": (count, lambda n: self.http(chat, "guarded", n)),
            "stream": (streams, lambda n: self.http(chat, "plain", n, stream=True)),
            "stream, regex": (streams, lambda n: self.http(chat, "guarded", n, stream=True)),
            "translated": (count, lambda n: self.http(chat, "translated", n)),
            "translated, regex": (count, lambda n: self.http(chat, "translated-guarded", n)),
            "translated stream": (streams, lambda n: self.http(chat, "translated", n, stream=True)),
            "translated stream, regex": (streams, lambda n: self.http(chat, "translated-guarded", n, stream=True)),
        }

    def measure(self, name, count, ask):
        """The CPU of a request, in microseconds."""
        # Without latency, and with pieces of a stream apart from each other, as tokens come.
        post(f"{self.upstream}/__mock/config", {"chunks": PIECES, "gap_us": GAP_US, "reply_bytes": 1000})
        before, cpu = self.served(), cpu_seconds(self.weir.pid)
        good = ask(count)
        cpu = cpu_seconds(self.weir.pid) - cpu
        asked = self.served() - before
        expected = 0 if name == "kept answer" else count
        if good != count or not expected <= asked <= expected + CONNECTIONS:
            raise SystemExit(f"{name}: {good} of {count} answers, {asked} requests at the provider")
        return cpu * 1e6 / count


def main():
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="weir-entry-points-") as folder, contextlib.ExitStack() as stack:
        points = EntryPoints(args, folder)
        stack.callback(points.stop)
        every = points.lanes()
        for name, (count, ask) in every.items():
            ask(max(STREAMS, count // 20))
        found = {name: [] for name in every}
        for number in range(args.rounds):
            for name, (count, ask) in every.items():
                found[name].append(points.measure(name, count, ask))
            print(f"round {number + 1}:", ", ".join(f"{name} {runs[-1]:.1f}" for name, runs in found.items()), flush=True)
    report(found)


def report(found):
    middle = statistics.median
    rows = list(zip(*found.values(), strict=True))
    rounds = [dict(zip(found, row, strict=True)) for row in rows]
    print("\n| entry point | CPU a request | of the relay's | wanted |\n|---|---|---|---|")
    wanted = {"relay": "", "grpc": "1.3", "pass-through": "1.0", "kept answer": "below 1.0"}
    for name, limit in wanted.items():
        ratio = middle(one[name] / one["relay"] for one in rounds)
        print(f"| {name} | {middle(found[name]):.1f} µs | {ratio:.2f} | {limit} |")
    print("\n| the guard `regex`, above | a request of 2 KB (wanted: 10 µs) | a piece of a stream (wanted: 2 µs) |\n|---|---|---|")
    for lane, whole, stream in (("the relay", "relay", "stream"), ("a translation", "translated", "translated stream")):
        request = middle(one[f"{whole}, regex"] - one[whole] for one in rounds)
        piece = middle((one[f"{stream}, regex"] - one[stream]) / PIECES for one in rounds)
        print(f"| {lane} | {request:.1f} µs | {piece:.2f} µs |")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What a start costs, and what memory an idle Weir takes.

    start.py --weir target/release/weir --plugins plugins [--starts 5] [--idle 20] [--unpinned]

Each start has a warm compile cache, which one before the first fills. The time is from the program's start to the end of its first
answer, which takes the relay; a client asks every millisecond. Then the memory is read after `--idle` seconds: of the process's own
(`Anonymous`), and with its share of what is mapped from files (`Pss`). Without pins, each adapter is proved before it serves.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/python"))
import weir_process  # noqa: E402
from local_server import LocalHandler, LocalServer  # noqa: E402

from measured import memory  # noqa: E402

CONFIG = """
log_level = "warn"
[server]
host = "127.0.0.1"
port = {port}
[plugins]
dir = "{plugins}"
lock = "{lock}"
cache_dir = "{cache}"
[[providers]]
name = "mock"
adapter = "openai"
url = "{upstream}/v1/"
api_key = "sk-mock-0123456789abcdef"
[[models]]
alias = "plain"
target = {{ provider = "mock", model = "mock-model" }}
"""
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "mock-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
REQUEST = {"model": "plain", "messages": [{"role": "user", "content": "Is it up?"}]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle", type=float, default=20, help="seconds from the first answer until the memory is read")
    parser.add_argument("--unpinned", action="store_true", help="as if no digest were pinned")
    return parser.parse_args()


class Provider(LocalHandler):
    def do_POST(self):
        self.read()
        self.send(200, ANSWER)


def is_answered(address):
    headers = {"content-type": "application/json"}
    asked = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(REQUEST).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)["choices"][0]["message"]["content"] == "Yes."
    except urllib.error.HTTPError as error:
        raise SystemExit(f"refused: {error.read().decode()}") from error
    except OSError:
        return False


def start(folder, config, port, idle):
    """Starts the program once; returns milliseconds to the first answer and both figures of memory."""
    begun = time.monotonic()
    program = weir_process.start(config, folder / "weir.log")
    try:
        answered = weir_process.until("the first answer", lambda: is_answered(f"http://127.0.0.1:{port}"), pause=0.001)
        time.sleep(idle)
        return (answered - begun) * 1000, *memory(program.pid)
    finally:
        weir_process.stop(program)


def main():
    chosen = arguments()
    weir_process.BINARY = str(chosen.weir.resolve())
    plugins = chosen.plugins.resolve()
    provider = LocalServer(Provider)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config, port = folder / "weir.toml", weir_process.free_port()
        lock = folder / "none.lock" if chosen.unpinned else plugins.parent / "plugins.lock"
        named = {"port": port, "plugins": plugins, "lock": lock, "cache": folder / "cache", "upstream": provider.url}
        config.write_text(CONFIG.format(**named))
        start(folder, config, port, 0)
        rows = [start(folder, config, port, chosen.idle) for _ in range(chosen.starts)]
    columns = list(zip(*rows, strict=True))
    for name, unit, column in zip(["first answer", "memory of its own", "with mapped files"], ["ms", "MB", "MB"], columns):
        least, most = min(column), max(column)
        print(f"{name}: {statistics.median(column):.0f} {unit} ({least:.0f} to {most:.0f})")


if __name__ == "__main__":
    main()

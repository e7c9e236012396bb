#!/usr/bin/env python3
"""Whether a second worker adds what the first one gives: CPU of a request with one worker and with two.

    workers.py --weir target/release/weir --plugins plugins --tools FOLDER [--rounds 7] [--requests 12000]

FOLDER holds the programs `mock-upstream` and `loadgen` of the side-by-side benchmark. On a machine of two cores, the load takes part of
both, so that the rate says little. What one worker costs another shows in CPU all the same: locks, shared lines of the caches and
work that is passed on make a request dearer. If two workers take no more CPU for a request than one, two cores serve twice as many.
Gateway, provider and load share both cores in all rounds, which alternate.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from entry_points import CONNECTIONS, KEY, answers, cpu_seconds, free_port, pinned, post, until

CORES = "0,1"
LANES = {"relayed": "openai", "translated": "anthropic"}

CONFIG = """
log_level = "{log_level}"
[server]
host = "127.0.0.1"
port = {port}
workers = {workers}
[plugins]
dir = "{plugins}"
{rest}
"""
MODEL = """
[[models]]
alias = "{lane}"
type = "{adapter}"
target = {{ url = "{upstream}/v1/", model = "mock-model", api_key = "sk-mock-0123456789abcdef" }}
price = {{ input = 1, output = 1 }}
"""


def arguments(about):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=12_000, help="of each lane in each round")
    return parser.parse_args()


def start(stack, command, cores=CORES, **options):
    """A program on these cores, which is stopped with the others."""
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=pinned(cores), **options)
    stack.callback(program.wait, 30)
    stack.callback(program.terminate)
    return program


def provider(stack, args, cores=CORES):
    """The url of a provider that answers at once."""
    port = free_port()
    start(stack, [args.tools.resolve() / "mock-upstream", "--listen", f"127.0.0.1:{port}", "--threads", "2"], cores)
    url = f"http://127.0.0.1:{port}"
    until("the mock's start", lambda: answers(f"{url}/__mock/reset"))
    post(f"{url}/__mock/config", {"reply_bytes": 1000})
    return url


class Gateway:
    """A gateway on some cores, and a load for it on others."""

    def __init__(self, stack, args, upstream, workers, rest="", cores=(CORES, CORES), log_level="warn"):
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-bench-"))), free_port()
        models = "".join(MODEL.format(lane=lane, adapter=adapter, upstream=upstream) for lane, adapter in LANES.items())
        config = folder / "weir.toml"
        own_lines = CONFIG.format(log_level=log_level, port=port, workers=workers, plugins=args.plugins.resolve(), rest=rest)
        config.write_text(own_lines + models)
        log = stack.enter_context((folder / "weir.log").open("wb"))
        own, self.load_cores = cores
        self.program = start(stack, [args.weir.resolve(), "serve", "--config", config], own, stderr=log, cwd=folder)
        self.url, self.tools = f"http://127.0.0.1:{port}/v1/chat/completions", args.tools.resolve()
        for lane in LANES:
            body = {"model": lane, "messages": [{"role": "user", "content": "hi"}]}
            until("a first answer", lambda body=body: answers(self.url, body, {"authorization": f"Bearer {KEY}"}))

    def measure(self, lane, count, connections=4 * CONNECTIONS):
        """The CPU of a request, in microseconds."""
        command = [self.tools / "loadgen", "--url", self.url, "--model", lane, "--quiet", "--dialect", "openai", "--history-kb", "2"]
        command += ["--expect-markers", "2", "--timeout", "60", "--connections", str(connections), "--warmup", "0"]
        command += ["--duration", "600", "--requests", str(count), "--header", f"authorization: Bearer {KEY}"]
        before, load = cpu_seconds(self.program.pid), pinned(self.load_cores)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600, preexec_fn=load)
        # What is left of the log is written within this time.
        time.sleep(0.4)
        if (good := json.loads(done.stdout)["ok"]) != count:
            raise SystemExit(f"{lane}: {good} of {count} answers")
        return (cpu_seconds(self.program.pid) - before) * 1e6 / count


def main():
    args = arguments(__doc__)
    with contextlib.ExitStack() as stack:
        upstream = provider(stack, args)
        gateways = [Gateway(stack, args, upstream, workers) for workers in (1, 2)]
        print("| lane | one worker | two workers | two cores serve, by CPU |\n|---|---|---|---|")
        for lane in LANES:
            for gateway in gateways:
                gateway.measure(lane, args.requests // 4)
            rounds = [[gateway.measure(lane, args.requests) for gateway in gateways] for _ in range(args.rounds)]
            one, two = (statistics.median(runs) for runs in zip(*rounds, strict=True))
            times = sorted(2 * one / two for one, two in rounds)
            middle = statistics.median(times)
            print(f"| {lane} | {one:.1f} µs | {two:.1f} µs | {middle:.2f} times ({times[0]:.2f}–{times[-1]:.2f}) |", flush=True)


if __name__ == "__main__":
    main()

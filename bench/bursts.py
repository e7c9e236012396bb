#!/usr/bin/env python3
"""What many streams cost that begin at once: when their first token comes, and the memory that each holds while it runs.

    bursts.py --weir target/release/weir --plugins plugins --tools FOLDER [--streams 1000] [--kilobytes 100] [--ramp-ms 0] [--rounds 3]

FOLDER holds the programs `mock-upstream`, `bare-proxy` and `loadgen` of the side-by-side benchmark; several `--weir` are compared in the
same rounds. Each gateway is started anew for each round. It has the first core, provider and load have the second one. Streams have 200
pieces, 50 ms apart. Memory is what the process has of its own (`Anonymous`), at the most and once all run, above what it had before.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import threading
import time
from pathlib import Path

from measured import Gateway, answers, free_port, memory, pinned, post, provider, start, until

CORES = ("0", "1")
PIECES, GAP_MS = 200, 50
#: The share of a stream after which its memory is read: all run, and what only their beginning needed is gone.
ALL_RUN = 0.8


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True, action="append")
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--kilobytes", type=int, default=100, help="of each request")
    parser.add_argument("--ramp-ms", type=int, default=0, help="within how long the streams begin: less than the ten seconds that each takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lanes", default="relayed,translated")
    return parser.parse_args()


class BareProxy:
    """The proxy without a mind of its own, as `Gateway` is."""

    def __init__(self, stack, args, upstream):
        port = free_port()
        command = [args.tools.resolve() / "bare-proxy", "--listen", f"127.0.0.1:{port}", "--upstream", upstream.removeprefix("http://")]
        self.program = start(stack, command, CORES[0])
        self.url = f"http://127.0.0.1:{port}/v1/chat/completions"
        until("a first answer", lambda: answers(self.url, {"model": "relayed", "messages": [{"role": "user", "content": "hi"}]}))


def burst(args, gateway, lane):
    """The 50th and 99th percentile of the first token in milliseconds, and kilobytes a stream at the most and while all run."""
    pid = gateway.program.pid

    def own_kb():
        return memory(pid)[0] * 1024

    before = own_kb()
    seen, ended = [], threading.Event()

    def watch():
        begun = time.monotonic()
        while not ended.wait(0.1):
            seen.append((time.monotonic() - begun, own_kb()))

    command = [args.tools.resolve() / "loadgen", "--url", gateway.url, "--model", lane, "--quiet", "--dialect", "openai", "--stream"]
    command += ["--history-kb", str(args.kilobytes), "--connections", str(args.streams), "--requests", str(args.streams)]
    command += ["--expect-markers", str(PIECES), "--timeout", "120", "--warmup", "0", "--duration", "600", "--ramp-ms", str(args.ramp_ms)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600, preexec_fn=pinned(CORES[1]))
    ended.set()
    watcher.join()
    result = json.loads(done.stdout)
    if result["ok_all"] != args.streams:
        raise SystemExit(f"{lane}: {result['ok_all']} of {args.streams} streams, {result['errors']}")
    runs = max(args.ramp_ms, ALL_RUN * PIECES * GAP_MS) / 1000
    held = next((kb for at, kb in seen if at >= runs), seen[-1][1])
    first = result["first_token_us"]
    of_each = [(kb - before) / args.streams for kb in (max(kb for _, kb in seen), held)]
    return [first["p50"] / 1000, first["p99"] / 1000, *of_each]


def main():
    args = arguments()
    cases = {"bare proxy": (None, "relayed")}
    for weir in args.weir:
        for lane in args.lanes.split(","):
            cases[f"{weir} {lane}"] = (weir, lane)
    rounds = {name: [] for name in cases}
    with contextlib.ExitStack() as stack:
        upstream = provider(stack, args, CORES[1])
        for _ in range(args.rounds):
            for name, (weir, lane) in cases.items():
                post(f"{upstream}/__mock/config", {"gap_us": 0, "chunks": 2})
                with contextlib.ExitStack() as one:
                    if weir is None:
                        gateway = BareProxy(one, args, upstream)
                    else:
                        gateway = Gateway(one, argparse.Namespace(**{**vars(args), "weir": weir}), upstream, 1, cores=CORES)
                        # What only its start needed is put down then.
                        time.sleep(7)
                    post(f"{upstream}/__mock/config", {"gap_us": GAP_MS * 1000, "chunks": PIECES})
                    rounds[name].append(burst(args, gateway, lane))
    print("| what | first token, p50 | p99 | memory of each at the most | while all run |\n|---|---|---|---|---|")
    for name, runs in rounds.items():
        p50, p99, peak, held = ([statistics.median(column), min(column), max(column)] for column in zip(*runs, strict=True))
        times = [f"{m:.0f} ms ({a:.0f}–{b:.0f})" for m, a, b in (p50, p99)]
        sizes = [f"{m:.0f} KB ({a:.0f}–{b:.0f})" for m, a, b in (peak, held)]
        print(f"| {name} | " + " | ".join(times + sizes) + " |")


if __name__ == "__main__":
    main()

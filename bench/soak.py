#!/usr/bin/env python3
"""Soak: mixed load with faults and clients that disconnect, and what the gateway still holds afterwards.

    soak.py --weir target/release/weir --plugins plugins --bench FOLDER [--minutes 10]

FOLDER holds the programs `mock-upstream` and `loadgen` of the side-by-side benchmark. Nothing but Python is needed.
Each minute the resident memory, open descriptors and connections to providers are printed; at the end, with all clients
gone, whether memory stayed flat and everything was closed. The exit status reports the same.
"""

import argparse
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from statistics import mean

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/python"))
from weir_process import free_port, until  # noqa: E402

# Connections to providers are kept for 50 s and checked every 50 s: what is open after twice that is a leak.
KEPT_SECONDS = 110
# Growth of memory that is allowed between the second minute and the end.
GROWTH_KB = 16 * 1024
# Descriptors that use may add: those of a second runtime thread, a reopened file.
MORE_DESCRIPTORS = 4
HISTORY_KB = 120


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=5, help="requests a second of each kind of load")
    return parser.parse_args()


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def is_there(port, path):
    try:
        get(port, path)
    except OSError:
        return False
    return True


def until_there(port, path):
    until(f"an answer at {path}", lambda: is_there(port, path), seconds=30, pause=0.1)


class Mocks:
    """Three providers: a healthy one, one that fails now and then, and a slow one."""

    FLAGS = {
        "sound": ["--gap-us", "2000"],
        "faulty": ["--fail-every", "5", "--fail-status", "500", "--disconnect-mid-stream-every", "3"],
        "slow": ["--gap-us", "50000", "--latency-ms", "100"],
    }

    def __init__(self, bench):
        self.ports, self.processes = {}, []
        for name, flags in self.FLAGS.items():
            port = self.ports[name] = free_port()
            command = [bench / "mock-upstream", "--listen", f"127.0.0.1:{port}", *flags]
            self.processes.append(subprocess.Popen(command))
            until_there(port, "/__mock/stats")

    def stats(self):
        return {name: json.loads(get(port, "/__mock/stats")) for name, port in self.ports.items()}


def config(plugins, folder, ports):
    lines = ["log_level = \"error\"", "[server]", "host = \"127.0.0.1\"", "port = 0"]
    lines += ["[plugins]", f"dir = {json.dumps(str(plugins))}"]
    lines += [f"lock = {json.dumps(str(folder / 'plugins.lock'))}", f"cache_dir = {json.dumps(str(folder / 'cache'))}"]
    for name, port in ports.items():
        for adapter in ("openai", "anthropic"):
            # A breaker would keep the failures away from the gateway, and they are what is tested.
            lines += [f"[[providers]]\nname = \"{name}-{adapter}\"\nadapter = \"{adapter}\"\napi_key = \"env:SOAK_KEY\"",
                      f"url = \"http://127.0.0.1:{port}/v1/\"", "breaker = { min_attempts = 1000000 }",
                      "retry = { max_retries = 1, retry_delay_ms = 20 }",
                      f"[[models]]\nalias = \"{name}-{adapter}\"",
                      f"target = {{ provider = \"{name}-{adapter}\", model = \"mock-model\" }}"]
    return "\n".join(lines) + "\n"


class Weir:
    """The gateway process, with its memory, descriptors and connections."""

    def __init__(self, args, folder, mocks):
        self.port, file = free_port(), folder / "weir.toml"
        self.upstreams = {f"{port:04X}" for port in mocks.ports.values()}
        file.write_text(config(args.plugins.resolve(), folder, mocks.ports))
        environment = {**os.environ, "WEIR_SERVER__PORT": str(self.port), "SOAK_KEY": "sk-soak"}
        command = [args.weir, "serve", "--config", file]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        until_there(self.port, "/metrics")

    def resident(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    def sockets(self):
        """The inodes of the process's sockets, and the number of all its descriptors."""
        folder, inodes, count = Path(f"/proc/{self.process.pid}/fd"), set(), 0
        for entry in folder.iterdir():
            count += 1
            try:
                link = os.readlink(entry)
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
        return count, inodes

    def held(self):
        """The number of descriptors, and of connections to providers."""
        count, inodes = self.sockets()
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        to_providers = [row for row in rows if row[9] in inodes and row[2].split(":")[1] in self.upstreams]
        return count, len(to_providers)

    def figure(self, series):
        lines = [line for line in get(self.port, "/metrics").splitlines() if line.startswith(series)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def loads(args, weir, folder):
    """Load of every kind for the whole run: relayed and translated, streamed and not, with and without faults."""
    kinds = [(model, stream) for model in ("sound-openai", "sound-anthropic", "faulty-openai", "faulty-anthropic")
             for stream in (False, True)]
    for number, (model, stream) in enumerate(kinds):
        out = folder / f"load-{number}.json"
        history = HISTORY_KB if number % 3 == 0 else 4
        command = [args.bench / "loadgen", "--url", f"http://127.0.0.1:{weir.port}/v1/chat/completions",
                   "--model", model, "--mode", "open", "--rate", str(args.rate), "--connections", "32",
                   "--history-kb", str(history), "--warmup", "0", "--duration", str(int(args.minutes * 60)),
                   "--out", out, "--quiet"] + (["--stream"] if stream else [])
        yield model, stream, out, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Departures(threading.Thread):
    """Clients that disconnect: before the head, after it, within a stream; by an orderly close or by a reset."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.left = port, threading.Event(), 0
        self.draw = random.Random(1)

    def run(self):
        leaving = []
        while not self.over.wait(0.05):
            client = self.begin()
            leaving.append((time.monotonic() + self.draw.choice([0.02, 0.12, 0.3, 1.0, 3.0]), client))
            due = [client for when, client in leaving if when <= time.monotonic()]
            leaving = [(when, client) for when, client in leaving if when > time.monotonic()]
            for client in due:
                self.leave(client)
        for _, client in leaving:
            self.leave(client)

    def begin(self):
        model = self.draw.choice(["slow-openai", "slow-anthropic"])
        text = "word " * self.draw.choice([10, HISTORY_KB * 1024 // 5])
        body = {"model": model, "stream": True, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
        body = json.dumps(body).encode()
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\n"
        client.sendall(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        return client

    def leave(self, client):
        if self.draw.random() < 0.5:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.left += 1


def watch(weir, seconds):
    """Takes a sample each second and prints a line each minute: mean memory, descriptors and connections."""
    minutes, begun = [], time.monotonic()
    print("minute   RSS KB (mean, max)   descriptors   to providers", flush=True)
    while time.monotonic() - begun < seconds:
        samples, end = [], min(time.monotonic() + 60, begun + seconds)
        while time.monotonic() < end:
            samples.append((weir.resident(), *weir.held()))
            time.sleep(1)
        resident, descriptors, connections = zip(*samples)
        minutes.append(mean(resident))
        print(f"{len(minutes):>6}   {mean(resident):>8.0f} {max(resident):>8}   {mean(descriptors):>11.0f}   "
              f"{mean(connections):>12.0f}", flush=True)
    return minutes


def say_loads(running):
    for model, stream, out, process in running:
        process.wait(timeout=60)
        what = "streams" if stream else "whole"
        result = json.loads(out.read_text()) if out.exists() else {}
        print(f"load {model} {what}: {result.get('ok_all', result.get('ok'))} complete, errors {result.get('errors')}")


def settle(weir, mocks):
    """Waits until nothing is in flight; returns how long the providers' streams took to close."""
    begun = time.monotonic()
    while any(one["open_streams"] for one in mocks.stats().values()) or weir.figure("weir_streams_active") > 0:
        if time.monotonic() - begun > 60:
            break
        time.sleep(0.1)
    return time.monotonic() - begun


def soak(args, folder):
    mocks = Mocks(args.bench)
    weir = Weir(args, folder, mocks)
    try:
        return measured(args, folder, mocks, weir)
    finally:
        for process in [weir.process, *mocks.processes]:
            process.terminate()
            process.wait()


def measured(args, folder, mocks, weir):
    first = weir.held()
    print(f"begin: {weir.resident()} KB, {first[0]} descriptors, {first[1]} connections to providers", flush=True)
    running = list(loads(args, weir, folder))
    departures = Departures(weir.port)
    departures.start()
    minutes = watch(weir, args.minutes * 60)
    departures.over.set()
    departures.join()
    say_loads(running)
    took = settle(weir, mocks)
    stats = mocks.stats()
    print(f"{departures.left} clients left; {took:.1f} s after the last no provider had a stream open; "
          f"{sum(one['requests'] for one in stats.values())} requests reached providers, "
          f"{sum(one['injected_failures'] for one in stats.values())} failed and "
          f"{sum(one['injected_disconnects'] for one in stats.values())} broke off on purpose")
    descriptors, connections = weir.held()
    print(f"at once: {weir.resident()} KB, {descriptors} descriptors, {connections} kept connections", flush=True)
    time.sleep(KEPT_SECONDS)
    last = weir.held()
    in_flight = weir.figure("weir_in_flight")
    print(f"end: {weir.resident()} KB, {last[0]} descriptors, {last[1]} connections to providers, {in_flight:.0f} in flight")
    return verdict(minutes, first, last, in_flight, stats)


def verdict(minutes, first, last, in_flight, stats):
    grown = minutes[-1] - minutes[min(1, len(minutes) - 1)]
    faults = []
    if grown > GROWTH_KB:
        faults.append(f"memory grew by {grown:.0f} KB")
    if last[0] > first[0] + MORE_DESCRIPTORS:
        faults.append(f"{last[0] - first[0]} descriptors were leaked")
    if last[1] or in_flight or any(one["open_streams"] for one in stats.values()):
        faults.append("something is still open to providers")
    print("; ".join(faults) if faults else f"flat: {grown:+.0f} KB since the second minute, nothing is left open")
    return 1 if faults else 0


if __name__ == "__main__":
    asked = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(soak(asked, Path(scratch)))

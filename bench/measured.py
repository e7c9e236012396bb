"""What measurements share: a gateway with its load and a provider, each on its own cores, and what they cost.

No measurement by itself: `workers.py`, `metering.py`, `bursts.py`, `entry_points.py` and `start.py` use it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/python"))
from weir_process import free_port, until  # noqa: E402

CONNECTIONS = 16
KEY = "sk-bench-0123456789abcdef"
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


def pinned(cpus):
    chosen = {int(cpu) for cpu in cpus.split(",")}
    return lambda: os.sched_setaffinity(0, chosen)


def post(url, body, headers=()):
    headers = {"content-type": "application/json"} | dict(headers)
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=30) as answer:
        return answer.read()


def answers(url, body=None, headers=()):
    try:
        post(url, body or {}, headers)
    except (OSError, urllib.error.URLError):
        return False
    return True


def cpu_seconds(pid):
    """Of all threads that live. Weir keeps its threads, so that none is missed while requests run."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def memory(pid):
    """Megabytes of the process's own, and with its share of mapped files."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    return kilobytes["Anonymous"] / 1024, kilobytes["Pss"] / 1024


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

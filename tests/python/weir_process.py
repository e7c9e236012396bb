"""Starts the program for tests and measurements in Python, waits until it serves, and ends it."""

import os
import random
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("WEIR_BIN", str(ROOT / "target/debug/weir"))
PLUGINS = Path(os.environ.get("WEIR_PLUGINS", str(ROOT / "plugins")))
# Removed from the program's environment, since Weir would read them as configuration.
OURS = {"WEIR_BIN", "WEIR_PLUGINS"}
# For questions to the program itself, whatever certificate it has.
ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


def free_port() -> int:
    """A port below the system's ephemeral ones, so that no other program gets it before Weir does."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def until(what: str, is_so, seconds: float = 120, pause: float = 0.02) -> float:
    """Waits until this is so; returns when that was, on the monotonic clock."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain: {what}")
        time.sleep(pause)
    return time.monotonic()


def start(config: Path, log: Path, environment: dict | None = None) -> subprocess.Popen:
    """Starts `weir serve`; its output is added to the log."""
    inherited = {name: it for name, it in os.environ.items() if name not in OURS}
    with log.open("ab") as sink:
        command = [BINARY, "serve", "--config", str(config)]
        return subprocess.Popen(command, stdout=sink, stderr=sink, env=inherited | (environment or {}))


def wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = 240):
    """Waits until the program at this address is alive. On its first start it compiles all adapters before: a minute on a busy machine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1, context=ANY_CERTIFICATE):
                if process.poll() is None:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"weir did not come up ({process.poll()}):\n{log.read_text(errors='replace')}")


def stop(process: subprocess.Popen, seconds: float = 20):
    """Asks the program to end, and kills it if it does not."""
    process.terminate()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

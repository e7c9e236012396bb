"""The official clients for Node: each `*.test.mjs` is one test here, which shows the runner's output if it fails."""

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from gateway import Lane, lanes
from script import GREETING
from weir_process import ROOT

HERE = Path(__file__).resolve().parent
CALLS = [["get_weather", {"city": "Paris", "days": 2}], ["get_weather", {"city": 'Zürich "HB"', "days": 1}]]
RESULTS = ["Paris: 2", 'Zürich "HB": 1']


@functools.cache
def place() -> Path:
    """The folder with the packages, beside the environment with node and npm; they are installed again when the pins
    change.

    Modules look for packages in the folders above them, so the tests are copied there.
    """
    folder = Path(sys.prefix, "packages")
    lock = (HERE / "package-lock.json").read_text()
    stamp = folder / "installed.json"
    if not stamp.exists() or stamp.read_text() != lock:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, env=variables(), check=True)
        stamp.write_text(lock)
    for file in HERE.glob("*.mjs"):
        shutil.copy(file, folder)
    return folder


def tool(name: str) -> str:
    return shutil.which(name, path=variables()["PATH"]) or name


def variables(**more: str) -> dict:
    """The environment's node comes before the machine's."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path} | more


def words() -> str:
    """The data for the tests, as JSON."""
    faces = {face: lanes(face) for face in ("openai", "responses", "anthropic", "gemini", "completions")}
    shown = {face: [show(lane) for lane in them] for face, them in faces.items()}
    protos = str(ROOT / "host/grpc/proto")
    return json.dumps({"lanes": shown, "protos": protos, "greeting": GREETING, "calls": CALLS, "results": RESULTS})


def show(lane: Lane) -> dict:
    suffix = "-forced" if lane.name == "forced" else ""
    return dataclasses.asdict(lane) | {"suffix": suffix, "address": lane.address, "key": lane.key}


class Node(unittest.TestCase):
    def check(self, file: str):
        command = [tool("node"), "--test", "--test-reporter=spec", file]
        done = subprocess.run(
            command, cwd=place(), env=variables(WEIR_CLIENTS=words()), capture_output=True, text=True, timeout=120
        )
        summary = [line for line in done.stdout.splitlines() if line.startswith(("ℹ pass", "ℹ tests"))]
        print(file, *summary)
        self.assertEqual(done.returncode, 0, f"\n{done.stdout}\n{done.stderr}")


for tests in sorted(HERE.glob("*.test.mjs")):
    name = f"test_{tests.name.split('.')[0]}"
    setattr(Node, name, functools.partialmethod(Node.check, tests.name))

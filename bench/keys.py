#!/usr/bin/env python3
"""A start with many keys in the store: how long until Weir is ready and until a key is accepted, and the memory.

    keys.py --weir target/quick/weir --plugins plugins [--keys 1000000] [--postgres postgres://USER@HOST:PORT/DATABASE]

The store is a file of SQLite, or with --postgres the schema `weir` of an empty database (which needs `psql`). Weir is started once
without keys, makes its tables and one key over its API; the others are written beside it, and then it is started three times.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests/python"))
from weir_process import free_port, until  # noqa: E402

TOKEN = "the-token-of-the-operator-0123"
#: Seconds between two questions whether it is so: what is measured depends on it.
PAUSE = 0.002


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--postgres", help="the address of an empty database")
    return parser.parse_args()


def ask(port, method, path, key=None, body=None):
    """Status and JSON; the status is 0 where nothing listens."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code, None
    except OSError:
        return 0, None


class Weir:
    def __init__(self, program, config, port):
        self.port, self.begun = port, time.monotonic()
        self.process = subprocess.Popen([program, "serve", "--config", config])

    def ready(self):
        """Seconds from the start until all keys are read and requests are served."""
        def is_ready():
            status, page = ask(self.port, "GET", "/ready")
            return status == 200 and page["store"]["keys"] == "working"
        return until("ready", is_ready, pause=PAUSE) - self.begun

    def accepts(self, key):
        def is_accepted():
            return ask(self.port, "GET", "/v1/models", key)[0] == 200
        return until("a key is accepted", is_accepted, pause=PAUSE) - self.begun

    def memory(self, name):
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))

    def processor_time(self):
        """Seconds of all threads, which depend less on what else the machine does than times do."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def documents(count, first):
    """Keys in the form that the store has, with the numbers of their changes."""
    for number in range(count):
        identity = f"{number:012d}"
        key = {"schema": 1, "id": identity, "name": f"key number {number}", "created": "2026-11-21T12:00:00Z",
               "hash": f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}", "owner": {"team": f"team-{number % 1000}"},
               "limits": {"requests_per_minute": 1 + number % 100}}
        yield identity, first + number, json.dumps(key)


def write_to_sqlite(file, count):
    with contextlib.closing(sqlite3.connect(file)) as database:
        (last,) = database.execute("select value from counters where name = 'documents'").fetchone()
        rows = (("key", *row) for row in documents(count, last + 1))
        database.executemany("insert into documents (kind, id, revision, body) values (?, ?, ?, ?)", rows)
        database.execute("update counters set value = ? where name = 'documents'", (last + count,))
        database.commit()


def write_to_postgres(url, folder, count):
    def run(command):
        words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command, url]
        return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    last = int(run("select value from weir.counters where name = 'documents'"))
    file = Path(folder, "keys.tsv")
    with file.open("w") as out:
        for identity, revision, body in documents(count, last + 1):
            out.write(f"key\t{identity}\t{revision}\t{body}\n")
    run(f"\\copy weir.documents (kind, id, revision, body) from '{file}'")
    run(f"update weir.counters set value = {last + count} where name = 'documents'")
    run("analyze weir.documents")


def main():
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="weir-keys-") as folder:
        port, config = free_port(), Path(folder, "weir.toml")
        url = asked.postgres or f"sqlite://{folder}/weir.db"
        config.write_text(
            f'log_level = "warn"\n[server]\nhost = "127.0.0.1"\nport = {port}\n[admin]\ntoken = "{TOKEN}"\n'
            f'[store]\nurl = "{url}"\n[plugins]\ndir = "{asked.plugins.resolve()}"\ncache_dir = "{folder}/cache"\n'
            '[[providers]]\nname = "openai"\nadapter = "openai"\nurl = "http://127.0.0.1:9/v1"\napi_key = "none"\n'
            '[[models]]\nalias = "small"\ntarget = { provider = "openai", model = "small" }\n')
        weir = Weir(asked.weir, config, port)
        empty = weir.ready()
        _, made = ask(port, "POST", "/admin/v1/keys", TOKEN, {"name": "a key"})
        key = made["key"] if isinstance(made.get("key"), str) else made["secret"]
        # Again with the adapters compiled.
        weir.stop()
        weir = Weir(asked.weir, config, port)
        empty, before = weir.ready(), weir.memory("VmRSS")
        weir.stop()
        print(f"no keys: ready after {empty:.2f} s; {before} MB")
        if asked.postgres:
            write_to_postgres(asked.postgres, folder, asked.keys)
        else:
            write_to_sqlite(Path(folder, "weir.db"), asked.keys)
        for _ in range(3):
            weir = Weir(asked.weir, config, port)
            ready, used, accepted = weir.ready(), weir.processor_time(), weir.accepts(key)
            print(f"{asked.keys} keys: ready after {ready:.2f} s and {used:.2f} s of processor time, "
                  f"a key accepted after {accepted:.2f} s; "
                  f"{weir.memory('VmRSS')} MB, at most {weir.memory('VmHWM')} MB")
            weir.stop()


if __name__ == "__main__":
    main()

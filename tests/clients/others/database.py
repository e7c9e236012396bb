"""A PostgreSQL of a test's own, with the tables that LiteLLM's own migrations make."""

import glob
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import litellm_proxy_extras

from weir_process import free_port


def binaries() -> str | None:
    """The folder of the newest installed PostgreSQL, which has `initdb`."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
    return os.path.dirname(os.path.realpath(found[-1])) if found[-1] else None


class Database:
    """A running server. It refuses to run as root, for whom it runs as `postgres`."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-litellm-"))
        self.bin = binaries()
        self.user = pwd.getpwnam("postgres").pw_name if os.getuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        self.port = free_port()
        self.run("initdb", "-D", self.data, "-U", "litellm", "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-p {self.port} -h 127.0.0.1 -k '' -F"
        self.run("pg_ctl", "-D", self.data, "-l", str(self.folder / "log"), "-w", "-o", options, "start")

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        """As LiteLLM's documentation writes it, with a parameter of Prisma's."""
        return f"postgresql://litellm@127.0.0.1:{self.port}/postgres?schema=public&connection_limit=10"

    def migrate(self):
        """Makes LiteLLM's tables by its migrations, one after the other."""
        folder = Path(litellm_proxy_extras.__file__).parent / "migrations"
        for migration in sorted(folder.glob("*/migration.sql")):
            self.sql(migration.read_text())

    def insert(self, table: str, **row):
        columns = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(map(literal, row.values()))
        self.sql(f'insert into "{table}" ({columns}) values ({values});')

    def sql(self, text: str) -> str:
        command = [f"{self.bin}/psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "litellm", "-d", "postgres"]
        options = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"]
        return subprocess.run([*command, *options], input=text, check=True, capture_output=True, text=True).stdout

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program: str, *words: str):
        path = f"{self.bin}/{program}"
        # Its output is no pipe: the server would hold it open.
        subprocess.run([path, *words], check=True, cwd="/", user=self.user, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def literal(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "array[" + ", ".join(map(literal, value)) + "]::text[]"
    text = json.dumps(value) if isinstance(value, dict) else value
    return "'" + text.replace("'", "''") + "'"

"""The request log as a Parquet file, read by what users read it with, against the same log as lines of JSON."""

import json
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet

from gateway import CLIENT_KEY, weir

MODELS = ["openai-plain", "openai-plain-forced", "gemini-plain", "openai-no-such-model"]


def ask(model: str):
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {CLIENT_KEY}"}
    request = urllib.request.Request(f"{weir()}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        urllib.request.urlopen(request, timeout=30).read()
    except urllib.error.HTTPError as error:
        error.read()


def export(form: str) -> bytes:
    with urllib.request.urlopen(f"{weir()}/admin/v1/requests/export?format={form}", timeout=30) as answer:
        return answer.read()


def lines() -> list[dict]:
    return [json.loads(line) for line in export("json").splitlines()]


class Parquet(unittest.TestCase):
    """Both readers find what the lines have."""

    @classmethod
    def setUpClass(cls):
        for model in MODELS:
            ask(model)
        end = time.monotonic() + 30
        while len(lines()) < len(MODELS) and time.monotonic() < end:
            time.sleep(0.05)
        cls.lines = lines()
        cls.folder = tempfile.TemporaryDirectory(prefix="weir-exports-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.file = Path(cls.folder.name, "log.parquet")
        cls.file.write_bytes(export("parquet"))

    def test_pyarrow_reads_every_member_of_every_line(self):
        table = pyarrow.parquet.read_table(self.file)
        self.assertEqual(str(table.schema.field("time").type), "timestamp[ms, tz=UTC]")
        self.assertEqual(str(table.schema.field("cost_usd").type), "decimal128(18, 9)")
        rows = table.to_pylist()
        self.assertEqual(len(rows), len(self.lines))
        for row, line in zip(rows, self.lines):
            self.assertEqual(set(row), set(line))
            self.assertEqual(dict(row.pop("tags")), line.pop("tags"))
            began = int(row.pop("time").timestamp() * 1000 + 0.5)
            self.assertEqual(began, int(line["id"].replace("-", "")[:12], 16))
            line.pop("time")
            self.assertEqual({name: it for name, it in row.pop("tokens").items() if it is not None}, line.pop("tokens"))
            for name in ("attempts", "units", "losses"):
                text = row.pop(name)
                self.assertEqual(text and json.loads(text), line.pop(name))
            for name in ("cost_usd", "saved_usd"):
                amount, shown = row.pop(name), line.pop(name)
                self.assertEqual(amount, shown and Decimal(shown))
            self.assertEqual(row, {name: None if it == "" else it for name, it in line.items()})

    def test_duckdb_sums_what_the_lines_have(self):
        question = f"""select provider, count(*)::int, sum(tokens.output)::int, max(epoch_ms(time)), sum(cost_nano)::bigint
            from '{self.file}' where status = 200 group by provider order by provider"""
        found = duckdb.sql(question).fetchall()
        self.assertEqual([row[0] for row in found], ["gemini", "openai"])
        for provider, count, output, newest, cost in found:
            own = [line for line in lines() if line["provider"] == provider and line["status"] == 200]
            self.assertEqual((count, output), (len(own), sum(line["tokens"]["output"] for line in own)))
            self.assertEqual(newest, max(int(line["id"].replace("-", "")[:12], 16) for line in own))
            costs = [line["cost_nano"] for line in own if line.get("cost_nano") is not None]
            self.assertEqual(cost, sum(costs) if costs else None)

#!/usr/bin/env python3
"""The dashboard under load: pages over a log of many facts, and a page that follows thousands of requests a second.

    WEIR_BIN=target/release/weir bench/dashboard.py [--facts 10000000] [--rate 5000] [--seconds 30]

Needs Chromium with its driver, as `cargo xtask dashboard` does. Facts are copies of one request's, spread over ten days,
put into the store's files while Weir does not run. Prints times of pages and of what they ask the server, and of the
following page: requests a second that were really sent, rows that it showed, and how long it ever did not respond.
"""

import argparse
import datetime
import json
import os
import shutil
import socket
import sqlite3
import sys
import threading
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/ui"), str(ROOT / "tests/python")]
import browser  # noqa: E402
import gateway  # noqa: E402

DAYS = 10
DAY_MS = 86_400_000
#: Requests that a connection sends before it reads their answers.
BATCH = 50
CONNECTIONS = 4
#: Notes in a page how long it ever took between two turns of its loop, in milliseconds.
WATCH = """
    window.longest = 0; let last = performance.now();
    setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last - 10); last = now; }, 10);
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=10_000_000)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--seconds", type=int, default=30)
    return parser.parse_args()


def day_file(weir, day):
    return Path(weir.folder.name, f"weir-{day:%Y-%m-%d}.db")


def fill(weir, facts):
    """Makes copies of the facts of today, `facts` in all, spread over the days before."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    template = day_file(weir, today)
    begun = time.monotonic()
    with sqlite3.connect(template) as store:
        store.execute("pragma wal_checkpoint(truncate)")
    store.close()
    for back in range(1, DAYS + 1):
        day = today - datetime.timedelta(days=back)
        file = day_file(weir, day)
        shutil.copy(template, file)
        midnight = int(datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc).timestamp() * 1000)
        count = facts // DAYS

        def made(number, midnight=midnight, count=count):
            """An id of version 7 at a time of the day."""
            head = (midnight + number * DAY_MS // count).to_bytes(6, "big")
            tail = bytearray(os.urandom(10))
            tail[0], tail[2] = 0x70 | tail[0] & 0x0F, 0x80 | tail[2] & 0x3F
            return head + bytes(tail)

        with sqlite3.connect(file) as store:
            store.create_function("made", 1, made)
            columns = [row[1] for row in store.execute("pragma table_info(requests)")]
            copied = ", ".join("made(value)" if name == "id" else name for name in columns)
            store.execute("pragma synchronous = off")
            store.execute("create temporary table one as select * from requests limit 1")
            store.execute("delete from requests")
            store.execute(
                f"with recursive numbers(value) as (select 0 union all select value + 1 from numbers where value < {count - 1}) "
                f"insert into requests ({', '.join(columns)}) select {copied} from numbers, one")
        store.close()
    print(f"{facts} facts put into {DAYS} days in {time.monotonic() - begun:.0f} s", flush=True)


def paced_flood(weir, rate, seconds):
    """Sends requests for a model that there is none of, so many a second; returns how many a second were sent."""
    body = json.dumps({"model": "none-such", "messages": []})
    one = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {gateway.KEYS['search']}\r\n"
           f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}").encode()
    sent, begun = [0] * CONNECTIONS, time.monotonic()

    def send(at):
        pause = BATCH * CONNECTIONS / rate
        due = time.monotonic()
        with socket.create_connection(("127.0.0.1", weir.port), timeout=60) as connection:
            while time.monotonic() - begun < seconds:
                connection.sendall(one * BATCH)
                answers, ended = 0, b""
                while answers < BATCH or not ended.endswith(b"}"):
                    part = connection.recv(1 << 18)
                    if not part:
                        raise AssertionError("the connection was closed")
                    # An answer's head may be cut between two reads.
                    answers += (ended[-11:] + part).count(b"HTTP/1.1 404")
                    ended = part
                sent[at] += BATCH
                due += pause
                time.sleep(max(0.0, due - time.monotonic()))

    threads = [threading.Thread(target=send, args=(at,)) for at in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sent) / (time.monotonic() - begun), sum(sent)


def sign_in(page, weir):
    page.open(weir.url + "/ui/")
    page.wait_for_page("Sign in")
    page.type(page.field("Token"), gateway.TOKEN)
    page.press("button", "Sign in")
    page.wait_for_page("Overview")


def times_of_pages(page, weir):
    """Prints how long pages take until they show their rows, and what they ask the server for."""
    rows = "return document.querySelectorAll('main tbody tr').length > 0"
    yesterday = f"{datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)}"
    for name, path, there in (
        ("overview of a day", "/ui/?", "return !!document.querySelector('main .page h1') && !document.querySelector('[aria-busy=true]')"),
        ("newest requests", "/ui/requests", rows),
        ("requests of a key", "/ui/requests?key=search", rows),
        ("answered requests since yesterday", f"/ui/requests?outcome=ok&from={yesterday}", rows),
        ("a key that has none, all days", "/ui/requests?key=nobody", "return document.body.innerText.includes('No request meets')"),
    ):
        taken = []
        for _ in range(5):
            begun = time.monotonic()
            page.open(weir.url + path)
            page.wait_for(name, there)
            taken.append(time.monotonic() - begun)
        print(f"{name:<36} {median(taken) * 1000:8.0f} ms until it is shown", flush=True)
    for name, path in (
        ("newest page", "/admin/v1/requests?limit=50"),
        ("a key that has none, all days", "/admin/v1/requests?limit=50&key=nobody"),
        ("overview", "/admin/v1/overview"),
    ):
        taken = []
        for _ in range(5):
            begun = time.monotonic()
            weir.get(path)
            taken.append(time.monotonic() - begun)
        print(f"{name:<36} {median(taken) * 1000:8.1f} ms of the API", flush=True)


def follow(page, weir, rate, seconds):
    page.open(weir.url + "/ui/requests?live=true")
    page.wait_for_text("Following: 0 shown")
    page.run(WATCH)
    sent_rate, sent = paced_flood(weir, rate, seconds)
    counts = ("const found = /Following: ([\\d,]+) shown(?:, ([\\d,]+) more were too many)?/.exec(document.body.innerText);"
              "return (found ?? []).slice(1).map((text) => Number((text ?? '0').replaceAll(',', '')))")
    end = time.monotonic() + 20
    while time.monotonic() < end and sum(page.run(counts)) < sent:
        time.sleep(0.1)
    shown, others = page.run(counts)
    metrics = weir.get("/metrics").splitlines()
    lost = sum(float(line.rsplit(" ", 1)[1]) for line in metrics if line.startswith("weir_request_log_dropped_total") and 'what="fact"' in line)
    heap = page.run("return performance.memory.usedJSHeapSize")
    print(f"followed {sent_rate:.0f} requests a second for {seconds} s: {shown} shown, {others} counted, of them {lost:.0f} not logged for want of room, {sent - shown - others:.0f} unknown; "
          f"the page never paused longer than {page.run('return window.longest'):.0f} ms, and has "
          f"{page.run('return document.querySelectorAll(`tbody tr`).length')} rows and {heap / 1e6:.1f} MB of objects", flush=True)


def main():
    asked = arguments()
    if asked.facts:
        # Ten million are more than what is kept by default.
        os.environ["WEIR_STORE__MAX_BYTES"] = "64GiB"
    weir = gateway.Weir(gateway.Provider(), settings="")
    try:
        weir.chat("gpt-4o")
        weir.until_logged(1)
        if asked.facts:
            weir.stop()
            fill(weir, asked.facts)
            begun = time.monotonic()
            weir.start()
            print(f"a start takes {time.monotonic() - begun:.1f} s", flush=True)
        page = browser.Browser()
        try:
            sign_in(page, weir)
            times_of_pages(page, weir)
            follow(page, weir, asked.rate, asked.seconds)
        finally:
            page.close()
    finally:
        weir.close()


if __name__ == "__main__":
    main()

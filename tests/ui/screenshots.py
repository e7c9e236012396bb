"""Pictures of the dashboard's pages, with invented traffic of a month: `python3 screenshots.py FOLDER`."""

import json
import math
import random
import sqlite3
import sys
import time
import urllib.request
from pathlib import Path

import browser
import gateway

#: Pages, each with its picture's name and whether it is dark.
PAGES = [("overview", "/ui/", False), ("overview-dark", "/ui/?period=7d", True), ("requests", "/ui/requests", False)]


OPERATOR = {"authorization": f"Bearer {gateway.TOKEN}"}


def documents(weir):
    """Prices, keys, teams, people and budgets of the store."""
    def make(kind, body):
        status, text, _ = weir.ask("POST", f"/admin/v1/{kind}", body, OPERATOR)
        assert status == 201, text
    # A budget in dollars refuses what has no price.
    for model in ("broken", "limited", "vectors"):
        make("prices", {"id": model, "provider": "openai", "model": model, "rates": {"input": "2.5", "output": "10"}})
    make("organisations", {"id": "acme", "name": "Acme", "models": ["gpt-*", "o3-*"]})
    for team in ("research", "support", "search"):
        make("teams", {"id": team, "name": team.capitalize(), "organisation": "acme"})
    make("users", {"id": "ada@example.com", "name": "Ada", "grants": [{"access": "read"}, {"access": "write", "team": "research"}]})
    make("users", {"id": "ben@example.com", "name": "Ben", "grants": [{"access": "write", "team": "support"}]})
    for name, team in (("notebook", "research"), ("nightly evaluation", "research"), ("answers to letters", "support")):
        make("keys", {"name": name, "owner": {"team": team}})
    for name, scope, dollars in (("company-month", "all", "0.50"), ("search-month", {"team": "search"}, "0.40")):
        make("budgets", {"id": name, "for": scope, "usd": dollars, "per": "month"})


def traffic(weir):
    """A few requests of each kind."""
    chance = random.Random(3)
    for number in range(60):
        model = chance.choice(["gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4o-mini", "gpt-4o-mini", "o3-mini", "patient"])
        weir.chat("limited" if number % 20 == 7 else model, chance.choice(["search", "search", "support"]), number % 3 > 0)
    return weir.until_logged(60)


def shadow(weir):
    """Replays the requests through another build of an adapter: one with a section that means nothing."""
    component = Path(weir.folder.name, "plugins/openai.wasm").read_bytes() + b"\x00\x05\x03twn\x01"
    path = f"{weir.url}/admin/v1/adapters/openai/shadow?requests=200"
    asked = urllib.request.Request(path, component, OPERATOR | {"content-type": "application/wasm"}, method="POST")
    with urllib.request.urlopen(asked, timeout=gateway.TIMEOUT) as answer:
        run = json.load(answer)["id"]
    end = time.monotonic() + gateway.TIMEOUT
    while json.loads(weir.get(f"/admin/v1/shadow-runs/{run}"))["status"] == "running":
        assert time.monotonic() < end, "the shadow run does not end"
        time.sleep(0.1)
    return run


def spread(weir):
    """Copies the sums of this hour to the hours of a month, as if it had been in use."""
    weir.stop()
    chance = random.Random(5)
    with sqlite3.connect(f"{weir.folder.name}/weir.db") as store:
        rows = store.execute("select * from ledger").fetchall()
        last = max(row[0] for row in rows)
        for back in range(60 * 24):
            hour = last - back
            busy = 9 + 8 * math.sin((hour % 24 - 9) / 24 * 2 * math.pi) * (0.3 if hour // 24 % 7 in (2, 3) else 1)
            part = max(busy, 0.4) * chance.uniform(0.8, 1.2) * (1 - back / 4000)
            for row in rows:
                sums = [int(value * part) for value in row[6:]]
                if back and any(sums):
                    store.execute("insert into ledger values (?,?,?,?,?,?,?,?,?,?)", (hour, *row[1:6], *sums))
    weir.start()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    weir = gateway.Weir(gateway.Provider())
    try:
        documents(weir)
        facts = traffic(weir)
        spread(weir)
        for number in range(12):
            # Some of them get a kept answer.
            weir.chat("kept", text=f"Question {number % 4}")
        story = next(fact for fact in facts if fact["model_asked"] == "patient" and fact["status"] == 200 and len(fact["attempts"]) > 1)
        run = shadow(weir)
        take(weir, folder, [*PAGES, ("request", f"/ui/requests/{story['id']}", False),
                            ("adapter", "/ui/adapters/openai", False), ("shadow-run", f"/ui/shadow-runs/{run}", False), ("targets", "/ui/targets", True), ("playground", "/ui/playground", False),
                            *((page, f"/ui/{page}", False) for page in (
                                "adapters", "shadow-runs", "keys", "teams", "organisations", "users", "budgets", "cache", "configuration"))])
    finally:
        weir.close()


def take(weir, folder, pages):
    view = browser.Browser(1200, 900)
    try:
        view.open(weir.url + "/ui/")
        view.wait_for_page("Sign in to Weir")
        view.picture(folder / "login.png")
        view.type(view.field("Token"), gateway.TOKEN)
        view.press("button", "Sign in")
        view.wait_for_page("Overview")
        for name, path, is_dark in pages:
            view.run("localStorage.setItem('theme', arguments[0])", "dark" if is_dark else "light")
            view.open(weir.url + path)
            view.wait_for("the page", "return !!document.querySelector('main .page h1')")
            time.sleep(1)  # charts are drawn with the next frames
            view.picture(folder / f"{name}.png")
            print(folder / f"{name}.png")
    finally:
        view.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

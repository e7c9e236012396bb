"""The dashboard in a real browser: every page, every action, hostile content, and what a reader may not do."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import browser
import gateway
from gateway import HOSTILE, KEYS, READ_TOKEN, TOKEN
from weir_process import BINARY, PLUGINS, ROOT, free_port

#: Pages that need no id.
PAGES = ("/ui/", "/ui/requests", "/ui/adapters", "/ui/adapters/openai", "/ui/shadow-runs", "/ui/targets", "/ui/cache", "/ui/keys", "/ui/teams",
         "/ui/organisations", "/ui/users", "/ui/budgets",
         "/ui/playground", "/ui/configuration")


class Dashboard(unittest.TestCase):
    """One Weir and one browser for all tests, which begin signed in."""

    @classmethod
    def setUpClass(cls):
        cls.provider = gateway.Provider()
        cls.weir = gateway.Weir(cls.provider)
        cls.addClassCleanup(cls.weir.close)
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)
        for stream in (False, True):
            for model in ("gpt-4o", "gpt-4o-mini", "o3-mini", "hostile", "limited", "broken", "patient"):
                cls.weir.chat(model, "search", stream, headers={"user-agent": HOSTILE.encode("ascii", "ignore").decode().replace("\x1b", "")})
        cls.facts = cls.weir.until_logged(14)
        for fact in cls.facts:
            cls.weir.until_kept(fact["id"])

    def setUp(self):
        self.sign_in(TOKEN)

    def sign_in(self, token, heading="Overview"):
        self.browser.open(self.weir.url + "/ui/")
        self.browser.wait_for("the page", "return !!document.querySelector('h1')")
        if self.browser.run("return !!document.querySelector('.person button')"):
            self.browser.press("button", "Sign out")
        self.browser.wait_for_page("Sign in to Weir")
        self.browser.type(self.browser.field("Token"), token)
        self.browser.press("button", "Sign in")
        self.browser.wait_for_page(heading)

    def tearDown(self):
        # Refused requests are part of the tests; what the policy blocked or a script did wrong is not.
        wrong = [line for line in self.browser.log() if "Content Security Policy" in line or "Uncaught" in line]
        self.assertEqual(wrong, [])

    def fact(self, model):
        return next(fact for fact in self.facts if fact["model_asked"] == model)

    def test_a_wrong_token_opens_nothing_and_a_right_one_is_kept_out_of_the_page(self):
        self.browser.press("button", "Sign out")
        self.browser.wait_for_page("Sign in to Weir")
        self.browser.type(self.browser.field("Token"), "wrong")
        self.browser.press("button", "Sign in")
        self.browser.wait_for_text("the token is neither `admin.token` nor `admin.read_token`")
        self.sign_in(TOKEN)
        kept = self.browser.run("return document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + location + document.cookie")
        self.assertNotIn(TOKEN, kept)
        self.browser.open(self.weir.url + "/admin/v1/session")
        cookie = next(one for one in self.browser.cookies() if one["name"] == "weir-session")
        self.assertEqual((cookie["httpOnly"], cookie["sameSite"], cookie["path"]), (True, "Strict", "/admin"))

    def test_the_overview_sums_what_was_asked(self):
        self.browser.wait_for_text("Time to the first token")
        sums = json.loads(self.weir.get("/admin/v1/overview"))
        self.assertGreaterEqual(sums["now"]["requests"], 14)
        self.assertGreaterEqual(sums["now"]["failed"], 4)
        text = self.browser.text()
        failed = 100 * sums["now"]["failed"] / sums["now"]["requests"]
        for shown in (f"{failed:.0f} %", "gpt-4o", "second", "search"):
            self.assertIn(shown, text)
        self.assertGreater(self.browser.run("return document.querySelectorAll('canvas').length"), 2)

    def test_requests_that_end_now_appear(self):
        self.browser.wait_for_text("Waiting for the next request")
        self.weir.chat("gpt-4o", "support")
        self.browser.wait_for("the request", "return document.querySelectorAll('.live li').length > 0")
        self.browser.open(self.weir.url + "/ui/requests?live=true&team=support")
        self.browser.wait_for_text("Following: 0 shown")
        self.weir.chat("gpt-4o", "search")
        self.weir.chat("gpt-4o-mini", "support")
        self.browser.wait_for_text("Following: 1 shown")

    def test_of_a_flood_some_are_shown_and_the_others_are_counted(self):
        self.browser.open(self.weir.url + "/ui/requests?live=true")
        self.browser.wait_for_text("Following: 0 shown")
        count = 4_000
        self.weir.flood(count)
        # Each is shown or counted.
        sum_of = ("const found = /Following: ([\\d,]+) shown(?:, ([\\d,]+) more were too many)?/.exec(document.body.innerText);"
                  "return (found ?? []).slice(1).map((text) => Number((text ?? '0').replaceAll(',', '')))")
        self.browser.wait_for("all requests", f"const counts = (() => {{ {sum_of} }})(); return counts[0] + counts[1] >= {count}")
        shown, others = self.browser.run(sum_of)
        self.assertEqual(shown + others, count)
        self.assertGreater(others, shown)
        self.assertLessEqual(self.browser.run("return document.querySelectorAll('tbody tr').length"), 200)
        # The page still does what it is asked to.
        self.browser.press("nav a", "Overview")
        self.browser.wait_for_page("Overview")

    def test_a_wrong_clock_of_the_browser_changes_no_time_that_is_shown(self):
        times = "return [...document.querySelectorAll('tbody tr td:first-child')].map((cell) => cell.innerText)"
        self.browser.open(self.weir.url + "/ui/requests?model=limited")
        self.browser.wait_for("the rows", "return document.querySelectorAll('tbody tr').length === 2")
        expected = self.browser.run(times)
        with self.browser.beforehand("const right = Date.now; Date.now = () => right() - 3 * 24 * 3600 * 1000;"):
            self.browser.open(self.weir.url + "/ui/requests?model=limited")
            self.browser.wait_for("the rows", "return document.querySelectorAll('tbody tr').length === 2")
            self.assertEqual(self.browser.run(times), expected)
            # The overview is of the server's last day, in which there are requests.
            self.browser.press("nav a", "Overview")
            self.browser.wait_for_page("Overview")
            self.browser.wait_for_text("gpt-4o")

    def test_an_overview_that_stays_open_holds_only_the_charts_that_it_shows(self):
        script = ("const every = window.setInterval; window.setInterval = (act, pause) => every(act, pause / 100);"
                  "window.plots = new Set(); let made; Object.defineProperty(window, 'uPlot', { get: () => made, set: (real) => {"
                  " made = class extends real { constructor(...all) { super(...all); const end = this.destroy; plots.add(this);"
                  " this.destroy = () => { plots.delete(this); end(); }; } }; } });")
        held = "return [(await import('/ui/chart.js')).count(), plots.size]"
        with self.browser.beforehand(script):
            self.browser.open(self.weir.url + "/ui/")
            self.browser.wait_for_page("Overview")
            read = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/admin/v1/overview')).length"
            self.browser.wait_for("many refreshes", f"return {read} > 12")
            # Between a refresh and its first picture there are those before, too.
            self.browser.wait_for("the charts that are shown, and no others", f"const [charts, drawn] = await (async () => {{ {held} }})(); return charts === 3 && drawn === 3")
            self.browser.press("button", "Light or dark")
            self.browser.press("button", "Light or dark")
            self.browser.press("nav a", "Requests")
            self.browser.wait_for_page("Requests")
            self.assertEqual(self.browser.run(held), [0, 0])

    def test_an_overview_that_lost_its_connection_for_a_moment_goes_on(self):
        script = ("window.sources = []; window.EventSource = class extends EventSource {"
                  " constructor(...all) { super(...all); sources.push(this); } };")
        with self.browser.beforehand(script):
            self.browser.open(self.weir.url + "/ui/")
            self.browser.wait_for("the stream", "return sources[0]?.readyState === EventSource.OPEN")
            # What the browser does after it connected again; an error would be in its log.
            self.browser.run("sources[0].dispatchEvent(new Event('open'))")
            self.weir.chat("gpt-4o", "support")
            self.browser.wait_for("the request", "return document.querySelectorAll('.live li').length > 0")

    def test_the_overview_shows_a_week_and_a_month(self):
        for period, words in (("7d", "7 days"), ("30d", "30 days"), ("24h", "24 hours")):
            self.browser.press(".switch a", words)
            self.browser.wait_for("its figures", f"return location.search === '?period={period}' && document.querySelector('.switch [aria-current]')?.innerText === '{words}'")
            # There is no request from before.
            self.assertIn(f"none in the {words} before", self.browser.text())

    def test_a_theme_is_chosen_and_kept(self):
        colour = "return getComputedStyle(document.body).backgroundColor"
        self.addCleanup(self.browser.run, "localStorage.clear()")
        before = self.browser.run(colour)
        self.browser.press("button", "Light or dark")
        after = self.browser.run(colour)
        self.assertNotEqual(before, after)
        self.browser.open(self.weir.url + "/ui/requests")
        self.browser.wait_for_page("Requests")
        self.assertEqual(self.browser.run(colour), after)
        self.browser.press("button", "Light or dark")
        self.assertEqual(self.browser.run(colour), before)

    def test_a_browser_that_keeps_nothing_for_pages_shows_them(self):
        with self.browser.beforehand("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } })"):
            self.browser.open(self.weir.url + "/ui/")
            self.browser.wait_for_page("Overview")
            colour = "return getComputedStyle(document.body).backgroundColor"
            before = self.browser.run(colour)
            self.browser.press("button", "Light or dark")
            self.assertNotEqual(self.browser.run(colour), before)

    def test_a_search_stands_in_the_address(self):
        self.browser.press("nav a", "Requests")
        self.browser.wait_for_page("Requests")
        self.browser.set("Model", "limited")
        self.browser.press("button", "Search")
        self.browser.wait_for("the address", "return location.search.includes('model=limited')")
        self.browser.wait_for("the rows", "return document.querySelectorAll('tbody tr').length === 2")
        self.browser.set("Status", "nonsense")
        self.browser.press("button", "Search")
        self.browser.wait_for_text("`status` must be")
        self.browser.open(self.weir.url + "/ui/requests?model=never")
        self.browser.wait_for_text("No request meets these filters.")

    def test_a_search_keeps_the_filters_that_it_began_with(self):
        self.open("requests?failed=true", "Requests")
        self.browser.set("Provider", "first")
        self.browser.press("button", "Search")
        self.browser.wait_for("the address", "return location.search.includes('failed=true') && location.search.includes('provider=first')")
        self.browser.wait_for("the rows", "return document.querySelectorAll('tbody tr').length >= 4")
        self.assertEqual(self.browser.run("return document.querySelectorAll('tbody .badge.good').length"), 0)

    def test_older_requests_are_pages_of_their_own(self):
        self.weir.flood(120, model="none-to-page")
        all_of_them = [fact["id"] for fact in self.weir.until_logged(120, "&model=none-to-page")]
        shown = "return [...document.querySelectorAll('tbody tr a')].map((link) => link.pathname.split('/').at(-1))"
        self.open("requests?model=none-to-page", "Requests")
        self.assertEqual(self.browser.run(shown), all_of_them[:50])
        self.browser.press("main a", "Older requests")
        self.browser.wait_for("the next page", "return location.search.includes('cursor=')")
        self.browser.with_text("main a", "Newest requests")
        self.assertEqual(self.browser.run(shown), all_of_them[50:100])
        self.browser.press("main a", "Newest requests")
        self.browser.wait_for("the first page", "return !location.search.includes('cursor=')")
        self.browser.wait_for("its rows", f"return document.querySelector('tbody tr a')?.pathname.endsWith('{all_of_them[0]}')")

    def test_a_failed_requests_story_says_why(self):
        self.browser.open(f"{self.weir.url}/ui/requests/{self.fact('limited')['id']}")
        self.browser.wait_for_page("limited")
        text = self.browser.text()
        self.assertIn("Why it failed: rate-limited" if "rate-limited" in text else "Why it failed: rate_limited", text)
        self.assertIn("Rate limit reached", text)

    def test_a_story_has_attempts_cost_and_content(self):
        self.browser.open(f"{self.weir.url}/ui/requests/{self.fact('patient')['id']}")
        self.browser.wait_for_page("patient")
        text = self.browser.text()
        for shown in ("first/broken", "second/gpt-4o", "failed", "Weir itself", "Cost line by line", "the bytes passed unchanged"):
            self.assertIn(shown, text)
        self.browser.press("summary", "What the client got")
        self.browser.wait_for_text("The weir holds the water back." if not self.fact("patient")["first_token_us"] else "data")
        self.browser.press("button", "Explain its route as of now")
        self.browser.wait_for_text('"targets"')

    def test_each_attempt_has_a_bar_where_it_was(self):
        fact = self.fact("patient")
        self.browser.open(f"{self.weir.url}/ui/requests/{fact['id']}")
        self.browser.wait_for_page("patient")
        rows = self.browser.run(
            "return [...document.querySelectorAll('.waterfall .step')].map((step) => {"
            " const [track, bar] = ['.track', '.span'].map((part) => step.querySelector(part).getBoundingClientRect());"
            " return { title: step.querySelector('dt').innerText, said: step.querySelector('.number').textContent,"
            " from: (bar.left - track.left) / track.width, to: (bar.right - track.left) / track.width }; })")
        failed, answered = rows[1:3]
        self.assertEqual([failed["title"], answered["title"]], ["first/broken failed", "second/gpt-4o answered"])
        for row, attempt in zip(rows[1:3], fact["attempts"]):
            self.assertAlmostEqual(row["from"], attempt["began_us"] / fact["total_us"], delta=0.01)
            self.assertRegex(row["said"], r"^begins after [0-9.]+ m?s and takes [0-9.]+ m?s$")
        self.assertLess(failed["from"], failed["to"])
        self.assertGreater(answered["to"], failed["to"])
        self.assertAlmostEqual(rows[-1]["to"], 1, delta=0.01)
        # One attempt needs no bar of its own, nor has it times.
        self.browser.open(f"{self.weir.url}/ui/requests/{self.fact('gpt-4o')['id']}")
        self.browser.wait_for_page("gpt-4o")
        self.assertIsNone(self.fact("gpt-4o")["attempts"])
        self.assertNotIn("answered", self.browser.run("return document.querySelector('.waterfall').innerText"))

    def test_hostile_content_is_shown_and_does_nothing(self):
        for model in ("hostile", "broken"):
            fact = self.fact(model)
            self.browser.open(f"{self.weir.url}/ui/requests/{fact['id']}")
            self.browser.wait_for_page(model)
            self.browser.run("for (const part of document.querySelectorAll('details')) part.open = true")
            text = self.browser.text()
            self.assertIn("<script>document.title", text)
            self.assertNotIn("\u202e", text)
            self.assertNotIn("\x1b", text)
            self.assertNotIn("owned", self.browser.run("return document.title"))
            self.assertEqual(self.browser.run("return document.querySelectorAll('main img, main script').length"), 0)
        self.browser.open(f"{self.weir.url}/ui/requests?model=%3Cscript%3Edocument.title%3D%27owned%27%3C%2Fscript%3E")
        self.browser.wait_for_text("No request meets these filters.")
        self.browser.open(f"{self.weir.url}/ui/%3Cscript%3E")
        self.browser.wait_for_page("Not found")
        # What is no text at all.
        self.browser.open(f"{self.weir.url}/ui/teams/%")
        self.browser.wait_for_page("Not found")
        self.browser.open(f"{self.weir.url}/ui/teams/%E2%80%AEdesrever")
        self.browser.wait_for_page("Teams")
        self.assertIn("⟨U+202E⟩desrever", self.browser.run("return document.title"))

    def test_a_line_of_megabytes_is_cut(self):
        answer = self.weir.chat("gpt-4o", "support", text="long" * 1_250_000)
        self.assertEqual(answer[0], 200)
        story = answer[2]["x-weir-request-id"]
        self.weir.until_kept(story)
        self.browser.open(f"{self.weir.url}/ui/requests/{story}")
        self.browser.wait_for_text("more characters are not shown")
        self.assertLess(self.browser.run("return document.body.textContent.length"), 1_000_000)

    def test_a_reader_sees_no_changes_and_is_refused(self):
        self.sign_in(READ_TOKEN)
        self.browser.wait_for_text("may read")
        for path, forbidden in (("/ui/adapters/openai", "Quarantine"), ("/ui/keys", "Make a key"), ("/ui/teams", "Make a team"), ("/ui/budgets", "Make a budget"), ("/ui/users", "Make a user"),
                                ("/ui/organisations", "Make an organisation"),
                                ("/ui/configuration", "Reload the file"), ("/ui/adapters", "Look at the folder again"),
                                ("/ui/adapters", "Upload an adapter"), ("/ui/adapters/openai", "Upload a version"),
                                ("/ui/adapters/openai", "Shadow run\n"), (f"/ui/requests/{self.fact('o3-mini')['id']}", "Try another adapter version")):
            self.browser.open(self.weir.url + path)
            self.browser.wait_for("the page", "return !!document.querySelector('main .page h1')")
            self.assertNotIn(forbidden, self.browser.text())
        refused = self.browser.run(
            "const session = await (await fetch('/admin/v1/session')).json();"
            "const reload = await fetch('/admin/reload', { method: 'POST', headers: { 'x-csrf-token': session.csrf_token } });"
            "return [session.access, reload.status];")
        self.assertEqual(refused, ["read", 403])

    def test_a_session_changes_nothing_without_the_pages_own_value(self):
        status = self.browser.run("return (await fetch('/admin/reload', { method: 'POST' })).status")
        self.assertEqual(status, 403)

    def test_a_key_is_made_shown_once_rotated_disabled_and_deleted(self):
        self.open("teams", "Teams")
        self.browser.press("button", "Make a team")
        self.browser.set("Team's id", "blue")
        self.browser.set("Name", "Blue <b>team</b>")
        self.browser.set("Dollars a month", "25")
        self.browser.press("dialog button", "Make it")
        self.browser.wait_for_text("Blue <b>team</b>")
        self.open("keys", "Keys")
        self.browser.press("button", "Make a key")
        self.browser.set("Name", "build")
        self.browser.set("Key's team", "blue")
        self.browser.press("dialog button", "Make it")
        key = self.browser.run("return arguments[0].innerText", self.browser.find("dialog .secret"))
        self.assertTrue(key.startswith("sk-weir-"))
        self.browser.press("dialog button", "Done")
        self.browser.wait_for("the end of the dialog", "return !document.querySelector('dialog')")
        self.assertNotIn(key, self.browser.run("return document.documentElement.outerHTML"))
        self.assertEqual(self.chat_with(key), 200)
        self.browser.press("tbody a", "build")
        self.browser.wait_for_page("build")
        self.browser.press("button", "Rotate")
        self.browser.set("The text before stays valid for", "0s")
        self.browser.press("dialog button", "Rotate")
        rotated = self.browser.run("return arguments[0].innerText", self.browser.find("dialog .secret"))
        self.browser.press("dialog button", "Done")
        self.assertEqual((self.chat_with(key), self.chat_with(rotated)), (401, 200))
        # Within the grace of a rotation, another one is asked about: the newer text would end at once.
        texts = [rotated]
        for step in ("Rotate", "The new text was never received: replace it"):
            if step == "Rotate":
                self.browser.press("main button", step)
                self.browser.press("dialog button", "Rotate")
            else:
                self.browser.press("main button", "Rotate")
                self.browser.press("dialog button", "Rotate")
                self.browser.press("dialog button", step)
                self.assertEqual(self.chat_with(texts[1]), 200, "nothing was changed so far")
                self.browser.press("dialog button", "Replace it")
            texts.append(self.browser.run("return arguments[0].innerText", self.browser.find("dialog .secret")))
            self.browser.press("dialog button", "Done")
            self.browser.wait_for("the end of the dialog", "return !document.querySelector('dialog')")
        self.assertEqual([self.chat_with(text) for text in texts], [200, 401, 200])
        rotated = texts[2]
        for action, status in (("Disable", 403), ("Enable", 200)):
            self.browser.press("main button", action)
            if action == "Disable":
                self.browser.press("dialog button", action)
            self.browser.with_text(".badge", "disabled" if action == "Disable" else "in use")
            self.assertEqual(self.chat_with(rotated) == 200, status == 200, action)
        self.open("budgets", "Budgets")
        self.browser.wait_for_text("team/blue/month")
        self.open("teams/blue", "Blue")
        self.browser.wait_for_text("$25.00")
        self.open("keys?team=blue", "Keys")
        self.browser.press("tbody a", "build")
        self.browser.press("main button", "Delete")
        self.browser.press("dialog button", "Delete")
        self.browser.wait_for_text("The store has no key.")
        self.assertEqual(self.chat_with(rotated), 401)

    def test_a_key_with_grants_for_one_team_begins_at_its_keys_and_changes_them(self):
        texts, ids = {}, {}
        for team in ("green", "amber"):
            self.assertEqual(self.admin("POST", "/teams", {"id": team, "name": team})[0], 201)
            self.addCleanup(self.admin, "DELETE", f"/teams/{team}", None)
            made = self.admin("POST", "/keys", {"name": f"worker of {team}", "owner": {"team": team}})[1]
            self.addCleanup(self.admin, "DELETE", f"/keys/{made['id']}", None)
            texts[team], ids[team] = made["key"], made["id"]
            self.assertEqual(self.chat_with(made["key"]), 200)
            self.weir.until_logged(1, f"&key={made['id']}")
        leader = self.admin("POST", "/keys", {"name": "leader", "grants": [{"access": "write", "team": "green"}]})[1]
        self.addCleanup(self.admin, "DELETE", f"/keys/{leader['id']}", None)

        self.sign_in(leader["key"], "Keys")
        self.assertEqual(self.browser.path(), "/ui/keys")
        links = self.browser.run("return [...document.querySelectorAll('nav a')].filter((link) => link.checkVisibility()).map((link) => link.innerText)")
        self.assertEqual(links, ["Targets", "Keys", "Teams", "Budgets"])
        for page in links:
            self.browser.press("nav a", page)
            self.browser.wait_for_page(page)
            self.assertEqual(self.browser.run("return document.querySelectorAll('main .failure').length"), 0, page)
        self.browser.press("a.mark", "Weir")
        self.browser.wait_for_page("Keys")
        self.assertNotIn("worker of amber", self.browser.text())
        self.browser.press("tbody a", "worker of green")
        self.browser.wait_for_page("worker of green")
        self.browser.wait_for_text("It is for those who may read everything")
        self.browser.press("button", "Rotate")
        self.browser.set("The text before stays valid for", "0s")
        self.browser.press("dialog button", "Rotate")
        rotated = self.browser.run("return arguments[0].innerText", self.browser.find("dialog .secret"))
        self.browser.press("dialog button", "Done")
        self.assertEqual((self.chat_with(texts["green"]), self.chat_with(rotated)), (401, 200))
        self.browser.press("main button", "Disable")
        self.browser.press("dialog button", "Disable")
        self.browser.with_text(".badge", "disabled")
        self.assertNotEqual(self.chat_with(rotated), 200)

        # The sums are written after the facts.
        end = time.monotonic() + gateway.TIMEOUT
        while not json.loads(self.weir.get("/admin/v1/usage?by=model&team=green"))["items"]:
            self.assertLess(time.monotonic(), end, "the team's sums are never written")
            time.sleep(0.05)
        self.open("teams/green", "green")
        cells = "return [...document.querySelectorAll('tbody tr:first-child > *')].map((cell) => cell.innerText)"
        self.browser.wait_for("the team's use", f"return (() => {{ {cells} }})()[0] === 'gpt-4o'")
        self.assertEqual(self.browser.run("return document.querySelectorAll('tbody a').length"), 0)
        for path in ("teams/amber", f"keys/{ids['amber']}"):
            self.browser.open(f"{self.weir.url}/ui/{path}")
            self.browser.wait_for("the refusal", "return !!document.querySelector('main .failure')")

    def test_a_team_is_disabled_and_enabled(self):
        self.assertEqual(self.admin("POST", "/teams", {"id": "a.b", "name": "Dotted"})[0], 201)
        self.addCleanup(self.admin, "DELETE", "/teams/a.b", None)
        made = self.admin("POST", "/keys", {"name": "member", "owner": {"team": "a.b"}})[1]
        self.addCleanup(self.admin, "DELETE", f"/keys/{made['id']}", None)
        # Read from the server, although its address ends as one of a file.
        self.open("teams/a.b", "Dotted")
        self.browser.press("main button", "Disable")
        self.browser.press("dialog button", "Disable")
        self.browser.with_text(".badge", "disabled")
        self.assertEqual(self.chat_with(made["key"]), 403)
        self.browser.press("main button", "Enable")
        self.browser.with_text(".badge", "in use")
        self.assertEqual(self.chat_with(made["key"]), 200)

    def choose(self, label, value):
        """Chooses an option of a field."""
        script = "arguments[0].value = arguments[1]; return arguments[0].value"
        self.assertEqual(self.browser.run(script, self.browser.field(label), value), value)

    def admin(self, method, path, body, token=TOKEN):
        status, answer = self.weir.ask(method, f"/admin/v1{path}", body, {"authorization": f"Bearer {token}"})[:2]
        return status, json.loads(answer or "{}")

    def test_a_budget_is_made_changed_and_deleted(self):
        status, key = self.admin("POST", "/keys", {"name": "spender"})
        self.assertEqual(status, 201)
        self.addCleanup(self.admin, "DELETE", f"/keys/{key['id']}", None)
        self.open("budgets", "Budgets")
        self.browser.press("button", "Make a budget")
        self.browser.set("Name", "spender-total")
        self.choose("Counts the use of", "key")
        self.browser.set("Its id or name", key["id"])
        self.browser.set("Amount", "1")
        self.choose("Of", "requests")
        self.browser.set("Window", "fortnight")
        self.browser.press("dialog button", "Make it")
        self.browser.wait_for_text("fortnight")
        self.browser.set("Window", "total")
        self.browser.press("dialog button", "Make it")
        self.browser.wait_for_text(f"spender-total (key {key['id']})")
        self.assertEqual([self.chat_with(key["key"]) for _ in range(2)], [200, 429])
        self.open("budgets", "Budgets")
        self.browser.wait_for_text("1 requests of 1 requests")

        # Another page has changed it since this one began to.
        self.browser.press("button[aria-label='Change spender-total']", "Change")
        self.browser.set("Amount", "2")
        self.assertEqual(self.admin("PATCH", "/budgets/spender-total", {"requests": 3})[0], 200)
        self.browser.press("dialog button", "Change it")
        self.browser.wait_for("the refusal", "return document.querySelector('dialog .error').innerText.length > 0")
        self.browser.press("dialog button", "Cancel")
        self.browser.press("button[aria-label='Change spender-total']", "Change")
        self.browser.set("Amount", "2")
        self.browser.press("dialog button", "Change it")
        self.browser.wait_for_text("1 requests of 2 requests")
        self.assertEqual([self.chat_with(key["key"]) for _ in range(2)], [200, 429])

        self.sign_in(READ_TOKEN)
        self.open("budgets", "Budgets")
        self.browser.wait_for_text("spender-total")
        buttons = self.browser.run("return [...document.querySelectorAll('main button')].map(b => b.innerText)")
        self.assertEqual(buttons, [])
        statuses = self.browser.run(
            "const session = await (await fetch('/admin/v1/session')).json();"
            "const headers = { 'x-csrf-token': session.csrf_token, 'content-type': 'application/json' };"
            "const body = JSON.stringify({ requests: 1000 });"
            "const all = [['PATCH', body], ['DELETE', undefined]];"
            "const path = '/admin/v1/budgets/spender-total';"
            "return Promise.all(all.map(async ([method, body]) => (await fetch(path, { method, headers, body })).status));")
        self.assertEqual(statuses, [403, 403])

        self.sign_in(TOKEN)
        status = self.browser.run("return (await fetch('/admin/v1/budgets/spender-total', { method: 'DELETE' })).status")
        self.assertEqual(status, 403, "without the page's own value")
        self.open("budgets", "Budgets")
        self.browser.press("button[aria-label='Delete spender-total']", "Delete")
        self.browser.press("dialog button", "Delete")
        self.browser.wait_for("its end", "return !document.body.innerText.includes('spender-total')")
        self.assertEqual(self.chat_with(key["key"]), 200)

    def open(self, path, heading):
        """Opens a page."""
        self.browser.open(f"{self.weir.url}/ui/{path}")
        self.browser.wait_for_page(heading)

    def chat_with(self, key):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
        return self.weir.ask("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})[0]

    def test_an_adapter_is_shown_replayed_quarantined_and_released(self):
        self.open("adapters", "Adapters")
        self.browser.press("tbody a", "openai")
        self.browser.wait_for_page("openai")
        self.browser.press("button", "Replay them now")
        self.browser.wait_for_text("All were reproduced.")
        self.browser.press("main button", "Quarantine")
        self.browser.set("Why", "<i>looks wrong</i>")
        self.browser.press("dialog button", "Quarantine")
        self.browser.wait_for_text("<i>looks wrong</i>")
        self.browser.press("main button", "Release from quarantine")
        self.browser.press("dialog button", "Release")
        self.browser.with_text(".badge", "serving")

    def test_an_organisation_and_a_user_are_made_and_disabled(self):
        for kind, title, text in (("organisations", "Make an organisation", "Acme <b>ltd</b>"), ("users", "Make a user", "Ann <i>Lee</i>")):
            self.open(kind, kind.capitalize())
            self.browser.press("button", title)
            self.browser.set("Id", "one")
            self.browser.set("Name", text)
            self.browser.press("dialog button", "Make it")
            self.browser.press("tbody a", "one")
            self.browser.wait_for_page(text)
            self.browser.press("main button", "Disable")
            self.browser.press("dialog button", "Disable")
            self.browser.with_text(".badge", "disabled")
            self.browser.press("main button", "Enable")
            self.browser.with_text(".badge", "in use")
            self.assertEqual(json.loads(self.weir.get(f"/admin/v1/{kind}/one"))["name"], text)

    def component(self, content):
        """A file openai.wasm with this content."""
        folder = tempfile.TemporaryDirectory(prefix="weir-ui-")
        self.addCleanup(folder.cleanup)
        file = Path(folder.name, "openai.wasm")
        file.write_bytes(content)
        return str(file)

    def test_an_upload_is_tried_promoted_and_rolled_back(self):
        served = Path(self.weir.folder.name, "plugins/openai.wasm").read_bytes()
        self.open("adapters", "Adapters")
        self.browser.press("button", "Upload an adapter")
        self.browser.type(self.browser.field("Component"), self.component(b"<script>document.title='owned'</script>"))
        self.browser.press("dialog button", "Upload")
        self.browser.wait_for_text("it would be refused")
        self.assertEqual(Path(self.weir.folder.name, "plugins/openai.wasm").read_bytes(), served)
        # Another build: with a section of five bytes that means nothing.
        self.browser.type(self.browser.field("Component"), self.component(served + b"\x00\x05\x03twn\x01"))
        self.browser.type(self.browser.field("At first"), "On trial")
        self.browser.set("Share of the exchanges (%)", "25")
        self.browser.press("dialog button", "Upload")
        # A program that is not optimised takes its time to compile a component.
        self.browser.wait_for_text("serves 25 % of the exchanges", timeout=gateway.TIMEOUT)
        self.browser.wait_for_text("Nothing was lost since it was loaded.")
        self.browser.wait_for_text("Serving, in the same time")
        self.browser.press("main button", "Change the trial's share")
        self.browser.set("Share of the exchanges (%)", "50")
        self.browser.press("dialog button", "Begin anew")
        self.browser.wait_for_text("serves 50 % of the exchanges")
        self.browser.press("main button", "Promote the version on trial")
        self.browser.press("dialog button", "Promote")
        self.browser.wait_for_text("activated by the operator")
        self.browser.wait_for("the end of the trial", "return !document.body.innerText.includes('On trial')")
        self.browser.press("main button", "Serve this one")
        self.browser.press("dialog button", "Serve it")
        self.browser.wait_for_text("Rolled back from")
        events = [entry["event"] for entry in json.loads(self.weir.get("/admin/v1/audit"))["items"]]
        actions = [event["action"] for event in events if event["kind"] == "adapter" and event["id"] == "openai"]
        self.assertEqual(actions[:4], ["activate", "activate", "trial", "upload"])
        self.browser.press("main button", "Try the version in the folder")
        self.browser.press("dialog button", "Try it")
        self.browser.wait_for_text("serves 10 % of the exchanges")
        self.browser.press("main button", "End the trial")
        self.browser.press("dialog button", "End it")
        self.browser.wait_for("the end of the trial", "return !document.body.innerText.includes('On trial')")
        self.browser.press("main button", "Upload a version")
        self.browser.type(self.browser.field("Component"), self.component(served + b"\x00\x05\x03twn\x03"))
        self.browser.press("dialog button", "Upload")
        digest = "return [...document.querySelectorAll('dt')].find((term) => term.innerText === 'Digest').nextSibling.innerText"
        self.browser.wait_for("the upload", f"return (() => {{ {digest} }})() === arguments[0]", hashlib.sha256(served + b"\x00\x05\x03twn\x03").hexdigest(), timeout=gateway.TIMEOUT)
        self.browser.press("main button", "Roll back")
        self.browser.press("dialog button", "Roll back")
        self.browser.wait_for("the version before", f"return (() => {{ {digest} }})() === arguments[0]", hashlib.sha256(served).hexdigest())
        self.open("adapters", "Adapters")
        self.browser.press("main button", "Look at the folder again")
        self.browser.wait_for("the question", "return performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/admin/v1/adapters/rescan'))")
        self.browser.with_text("tbody a", "openai")

    def test_logged_requests_are_replayed_through_another_version(self):
        served = Path(self.weir.folder.name, "plugins/openai.wasm").read_bytes()
        another = self.component(served + b"\x00\x05\x03twn\x02")
        self.open("adapters/openai", "openai")
        self.browser.press("main button", "Shadow run")
        self.browser.type(self.browser.field("Version"), "A component of mine")
        self.browser.type(self.browser.field("Component"), another)
        self.browser.press("dialog button", "Begin")
        self.browser.wait_for("the run", "return location.pathname.startsWith('/ui/shadow-runs/')", timeout=gateway.TIMEOUT)
        self.browser.with_text(".badge", "done")
        self.browser.wait_for_text("None differs.")
        self.assertNotIn(" 0 of at most 200 requests compared", self.browser.text())
        self.browser.open(f"{self.weir.url}/ui/requests/{self.fact('o3-mini')['id']}")
        self.browser.wait_for_page("o3-mini")
        self.browser.press("main button", "Try another adapter version")
        self.browser.type(self.browser.field("Version"), "A component of mine")
        self.browser.type(self.browser.field("Component"), another)
        self.browser.press("dialog button", "Begin")
        self.browser.wait_for_text("1 of at most 1 requests compared")
        self.browser.press("summary", "upstream, whole")
        self.browser.wait_for_text("Tried")
        self.open("shadow-runs", "Shadow runs")
        self.assertEqual(self.browser.run("return document.querySelectorAll('tbody tr').length"), 2)

    def test_targets_are_shown_and_a_route_explained(self):
        self.open("targets", "Targets")
        self.browser.wait_for_text("patient")
        self.browser.set("Model", "patient")
        self.browser.press("button", "Explain")
        self.browser.wait_for_text("the order of the configuration")
        self.browser.set("Model", "never")
        self.browser.press("button", "Explain")
        self.browser.wait_for("an error", "return [...document.querySelectorAll('.error')].some(e => e.innerText)")

    def test_limits_show_how_near_they_are_while_they_are_used(self):
        self.open("targets", "Targets")
        row = "[...document.querySelectorAll('tr')].find((row) => row.innerText.includes('narrow') && row.innerText.includes('requests a minute'))"
        self.browser.wait_for("the limit", f"return !!{row}")
        self.assertNotIn("used up", self.browser.run(f"return {row}.innerText"))
        self.assertEqual(self.weir.chat("narrow")[0], 200)
        self.browser.wait_for("its use", f"return {row}?.innerText.includes('used up')")
        self.browser.wait_for_text("1 near")
        # It is the nearest, and its colour is not all that says so.
        first = "[...document.querySelectorAll('table')].find((table) => table.innerText.includes('requests a minute')).querySelector('tbody tr')"
        self.assertIn("narrow", self.browser.run(f"return {first}.innerText"))
        self.assertEqual(self.browser.run(f"return {first}.querySelectorAll('.bar.bad[aria-label]').length"), 1)

    def test_the_cache_shows_hits_and_takes_reports_and_removals(self):
        def ask(text, wanted):
            # What is kept is judged after the client has it.
            end = time.monotonic() + gateway.TIMEOUT
            while True:
                headers = self.weir.chat("kept", text=text)[2]
                if headers["x-weir-cache"] == wanted or time.monotonic() > end:
                    self.assertEqual(headers["x-weir-cache"], wanted)
                    return headers["x-weir-cache-key"]

        ask("How do I enable 2FA?", "miss")
        ask("How do I enable 2FA?", "hit")
        key = ask("How to enable 2FA", "semantic")
        ask("How do I disable 2FA?", "miss")
        self.open("cache", "Cache")
        self.browser.wait_for_text("Questions that mean the same")
        cells = "return [...document.querySelectorAll('section:last-of-type tbody tr > *')].map((cell) => cell.innerText)"
        self.assertEqual(self.browser.run(cells)[0], "kept")
        self.browser.wait_for_text("Reported: 0 right, 0 wrong.")
        self.browser.press("button", "Report an answer")
        self.browser.set("Key", key)
        self.browser.press("dialog button", "Report")
        self.browser.wait_for_text("Reported: 0 right, 1 wrong.")
        self.browser.press("button", "Remove all")
        self.browser.press("dialog button", "Remove")
        self.browser.wait_for_text("0 answers")

    def test_the_playground_shows_both_sides_and_is_metered(self):
        self.open("playground", "Playground")
        self.browser.set("Model", "o3-mini\t")
        self.browser.press("button", "Show what goes upstream")
        self.browser.wait_for_text("second/o3-mini")
        self.browser.wait_for_text("POST chat/completions")
        before = len(self.weir.until_logged(0, "&key=support"))
        self.browser.set("Client's key", KEYS["support"])
        self.browser.press("button", "Send")
        self.browser.wait_for_text("data: [DONE]")
        self.browser.press("main a", "open")
        self.browser.wait_for_page("o3-mini")
        self.weir.until_logged(before + 1, "&key=support")

    def test_what_a_translation_lost_is_shown(self):
        body = {"model": "o3-mini", "max_tokens": 64, "top_k": 5, "messages": [{"role": "user", "content": "Hello"}]}
        answer = self.weir.ask("POST", "/v1/messages", body, {"x-api-key": KEYS["search"], "anthropic-version": "2023-06-01"})
        self.assertEqual(answer[0], 200, answer[1])
        story = answer[2]["x-weir-request-id"]
        self.weir.until_kept(story)
        self.open(f"requests/{story}", "o3-mini")
        losses = "return [...document.querySelectorAll('.losses li')].map((item) => item.innerText)"
        self.browser.wait_for("the losses", f"return (() => {{ {losses} }})().some((text) => text.includes('top_k'))")
        self.browser.press("a", "Send it again and compare")
        self.browser.wait_for_page("Playground")
        self.assertEqual(self.chosen("Endpoint"), "anthropic.messages: /v1/messages")
        self.browser.press("button", "Show what goes upstream")
        self.browser.wait_for_text("Lost in translation")
        self.assertIn("top_k", self.browser.run("return [...document.querySelectorAll('main tbody')].map((body) => body.innerText).join()"))
        # The dialect's adapter and the provider's have a part in it.
        self.open("adapters/openai", "openai")
        self.browser.wait_for_text("Lost while")
        self.assertIn("top_k", self.browser.text())

    def chosen(self, label):
        """The text of the option that a field has."""
        return self.browser.run("return arguments[0].selectedOptions[0].innerText", self.browser.field(label))

    def pick(self, label, text):
        """Chooses the option with this text, as a person does."""
        script = ("const field = arguments[0]; const option = [...field.options].find((one) => one.innerText === arguments[1]);"
                  "field.value = option.value; field.dispatchEvent(new Event('change', { bubbles: true }))")
        self.browser.run(script, self.browser.field(label), text)

    def test_the_playground_begins_with_a_request_of_the_chosen_format(self):
        self.open("playground", "Playground")
        body = "return JSON.parse(document.querySelector('textarea').value)"
        self.assertNotIn("{", self.chosen("Endpoint"), "the model stands in the body, where it is seen")
        self.browser.set("Model", "o3-mini\t")
        options = self.browser.run("return [...arguments[0].options].map((one) => one.innerText)", self.browser.field("Endpoint"))
        self.assertGreater(len({option.split(":")[0] for option in options}), 3, options)
        for option in options:
            self.pick("Endpoint", option)
            written = self.browser.run(body)
            self.assertEqual(written["model"], "o3-mini", option)
            self.browser.run("document.querySelector('[role=status].stack').replaceChildren()")
            self.browser.press("button", "Show what goes upstream")
            self.browser.wait_for(f"what goes upstream for {option}", "return document.querySelector('[role=status].stack pre, [role=status].stack .error, [role=status].stack .failure')")
            self.assertIn("Hello! Who are you?", self.browser.run("return document.querySelector('[role=status].stack').innerText"), option)
        # What was written by hand stays.
        self.browser.type(self.browser.field("Body (JSON)"), " ")
        self.pick("Endpoint", options[0])
        self.assertEqual(self.browser.run(body), written)

    def test_a_logged_request_whose_model_stands_in_its_path_is_sent_again(self):
        body = {"messages": [{"role": "user", "content": "Hello by its path"}]}
        headers = {"authorization": f"Bearer {KEYS['search']}"}
        answer = self.weir.ask("POST", "/openai/deployments/o3-mini/chat/completions?api-version=2024-10-21", body, headers)
        self.assertEqual(answer[0], 200, answer[1])
        story = answer[2]["x-weir-request-id"]
        self.weir.until_kept(story)
        self.open(f"playground?request={story}", "Playground")
        self.assertEqual(self.chosen("Endpoint"), "openai.chat: /openai/deployments/{model}/chat/completions")
        self.assertEqual(self.browser.run("return arguments[0].value", self.browser.field("Model")), "o3-mini")
        for model in ("gpt-4o", "o3-mini"):
            self.browser.set("Model", f"{model}\t")
            self.assertEqual(self.browser.run("return JSON.parse(document.querySelector('textarea').value)"), body)
        self.browser.set("Client's key", KEYS["support"])
        self.browser.press("button", "Send")
        self.browser.press("main a", "open")
        self.browser.wait_for_page("o3-mini")
        self.assertNotIn(story, self.browser.path())

    def test_an_answer_that_breaks_off_or_does_not_end_is_told_apart_from_a_whole_one(self):
        def answers(stream):
            self.browser.run(
                "window.asked ??= window.fetch; window.fetch = (url, ...rest) => (String(url).includes('/chat/completions')"
                f" ? Promise.resolve(new Response(new ReadableStream({stream}), {{ headers: {{ 'x-weir-request-id': '1' }} }})) : asked(url, ...rest))")

        self.open("playground", "Playground")
        answers("{ pull(to) { if (this.isBegun) return to.error(new TypeError('network error')); this.isBegun = true; to.enqueue(new TextEncoder().encode('the beginning')); } }")
        self.browser.press("button", "Send")
        self.browser.wait_for_text("The answer broke off: network error")
        self.assertIn("the beginning", self.browser.text())
        self.assertIn("200", self.browser.text())
        # The rest of what is too long to be shown is not read.
        answers("{ pull(to) { to.enqueue(new TextEncoder().encode('x'.repeat(500000))); }, cancel() { window.isCancelled = true; } }")
        self.browser.press("button", "Send")
        self.browser.wait_for("the end of reading", "return window.isCancelled === true")
        self.assertNotIn("broke off", self.browser.text())

    def test_a_logged_request_is_saved_as_a_fixture(self):
        fact = self.fact("o3-mini")
        self.browser.open(f"{self.weir.url}/ui/requests/{fact['id']}")
        self.browser.with_text("a", "Save it as a fixture")
        saved = self.browser.run(
            "const link = [...document.querySelectorAll('a')].find((one) => one.innerText === 'Save it as a fixture');"
            "const answer = await fetch(link.href); return [answer.headers.get('content-disposition'), await answer.json()]")
        self.assertEqual(saved[0], f'attachment; filename="{fact["id"]}.json"')
        self.assertEqual((saved[1]["provider"], saved[1]["request"]["body"]["model"], saved[1]["response"]["status"]), ("second", "o3-mini", 200))

    def test_a_logged_request_is_sent_again_to_another_model_and_compared(self):
        self.browser.open(f"{self.weir.url}/ui/requests/{self.fact('hostile')['id']}")
        self.browser.wait_for_page("hostile")
        self.browser.press("a", "Send it again and compare")
        self.browser.wait_for_page("Playground")
        self.assertIn('"model": "hostile"', self.browser.run("return document.querySelector('textarea').value"))
        self.browser.set("Model", "gpt-4o\t")
        self.browser.set("Client's key", KEYS["support"])
        self.browser.press("button", "Send")
        self.browser.with_text("main a", "open")
        self.assertIn("<script>document.title", self.browser.text())
        self.assertIn("first/hostile", self.browser.text())

    def test_the_configuration_is_shown_compared_checked_and_rolled_back(self):
        self.open("configuration", "Configuration")
        self.browser.wait_for_text("[[providers]]")
        self.assertNotIn(KEYS["search"], self.browser.text())
        self.browser.type(self.browser.field("A whole configuration (TOML)"), "[server]\nport = 99999999\n")
        self.browser.press("button", "Check")
        self.browser.wait_for_text("not valid")
        self.weir.config.write_text(self.weir.config.read_text() + "[limits_of_nothing]\n")
        self.browser.press("button", "Reload the file")
        self.browser.press("dialog button", "Reload")
        self.browser.wait_for_text("limits_of_nothing")
        self.browser.press("dialog button", "Cancel")
        text = self.weir.config.read_text().replace("[limits_of_nothing]\n", "")
        self.weir.config.write_text(text + '[[models]]\nalias = "another"\ntarget = { provider = "first", model = "another" }\n')
        self.browser.press("button", "Reload the file")
        self.browser.press("dialog button", "Reload")
        self.browser.wait_for_text("Roll back to it")
        # Weir may have noticed the change by itself before, so that the last two versions are the same.
        options = "return [...arguments[0].options].map((one) => one.value)"
        first, *_, last = reversed(self.browser.run(options, self.browser.field("From")))
        self.compare(first, last)
        self.browser.wait_for_text('+alias = "another"')
        self.browser.click(self.browser.run("return [...document.querySelectorAll('tbody tr')].at(-1).querySelector('button')"))
        self.browser.press("dialog button", "Roll back")
        self.browser.wait_for_text('-alias = "another"')
        self.weir.config.write_text(text)
        self.compare(first, self.browser.run(options, self.browser.field("From"))[0])
        self.browser.wait_for_text("They are the same.")

    def compare(self, one, other):
        """Shows what changed between two versions of the configuration."""
        self.choose("From", one)
        self.choose("To", other)
        self.browser.press("button", "Compare")
        self.browser.wait_for("the address", f"return location.search === '?from={one}&to={other}'")

    def test_pages_work_by_keyboard(self):
        self.browser.open(self.weir.url + "/ui/")
        self.browser.wait_for_page("Overview")
        self.browser.key("\ue004")
        self.browser.wait_for("the skip link", "return document.activeElement.className === 'skip'")
        self.browser.key("\ue004", "\ue004", "\ue004", "\ue007")
        self.browser.wait_for_page("Requests")
        self.assertEqual(self.browser.run("return document.activeElement.tagName"), "H1")

    def test_a_dialog_is_filled_and_sent_by_keyboard(self):
        tab, enter, escape = "\ue004", "\ue007", "\ue00c"
        self.open("teams", "Teams")
        focused = "return document.activeElement.innerText || document.activeElement.name"

        def reach(text):
            for _ in range(40):
                if self.browser.run(focused) == text:
                    return
                self.browser.key(tab)
            self.fail(f"the key Tab does not lead to {text}")

        reach("Make a team")
        self.browser.key(enter)
        self.browser.wait_for("the dialog", "return !!document.querySelector('dialog[open]')")
        self.browser.key(escape)
        self.browser.wait_for("its end", "return !document.querySelector('dialog')")
        self.assertEqual(self.browser.run(focused), "Make a team", "the focus is where it was")
        self.browser.key(enter)
        reach("id")
        self.browser.key(*"typed")
        reach("name")
        self.browser.key(*"By hand", enter)
        self.addCleanup(self.admin, "DELETE", "/teams/typed", None)
        self.browser.with_text("tbody a", "typed")
        self.assertEqual(json.loads(self.weir.get("/admin/v1/teams/typed"))["name"], "By hand")

    def violations(self):
        """What axe-core finds wrong with the page as it is."""
        self.browser.run(browser.axe())
        return self.browser.run(
            "const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] });"
            "return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).slice(0, 3).join(' ')}`)")

    @unittest.skipUnless(browser.axe(), "axe-core was not fetched (npm), so accessibility is not checked")
    def test_dialogs_the_login_and_what_is_not_found_are_accessible(self):
        for kind, body in (("organisations", {"id": "acme", "name": "Acme"}), ("teams", {"id": "seen", "name": "Seen"}), ("users", {"id": "ann@example.com", "name": "Ann"})):
            self.assertEqual(self.admin("POST", f"/{kind}", body)[0], 201)
            self.addCleanup(self.admin, "DELETE", f"/{kind}/{body['id']}", None)
        key = self.admin("POST", "/keys", {"name": "seen", "budgets": [{"name": "month", "usd": "5", "per": "month"}]})[1]
        self.addCleanup(self.admin, "DELETE", f"/keys/{key['id']}", None)
        self.addCleanup(self.browser.run, "localStorage.clear()")
        for theme in ("light", "dark"):
            self.browser.run("localStorage.setItem('theme', arguments[0])", theme)
            for path, heading in ((f"keys/{key['id']}", "seen"), ("teams/seen", "Seen"), ("organisations/acme", "Acme"), ("users/ann@example.com", "Ann"), ("none-such", "Not found")):
                with self.subTest(path=path, theme=theme):
                    self.open(path, heading)
                    self.assertEqual(self.violations(), [])
            for path, heading, action in (("keys", "Keys", "Make a key"), ("budgets", "Budgets", "Make a budget"), ("adapters/openai", "openai", "Upload a version"),
                                          ("adapters/openai", "openai", "Shadow run"), ("adapters/openai", "openai", "Quarantine")):
                with self.subTest(action=action, theme=theme):
                    self.open(path, heading)
                    self.browser.press("main button", action)
                    self.browser.wait_for("the dialog", "return !!document.querySelector('dialog[open]')")
                    self.assertEqual(self.violations(), [])
        self.browser.press("dialog button", "Cancel")
        self.browser.press("button", "Sign out")
        self.browser.wait_for_page("Sign in to Weir")
        self.assertEqual(self.violations(), [])

    def test_pages_are_accessible(self):
        if browser.axe() is None:
            self.skipTest("axe-core was not fetched (npm), so accessibility is not checked")
        story = f"/ui/requests/{self.fact('patient')['id']}"
        for theme in ("light", "dark"):
            for path in (*PAGES, story):
                with self.subTest(path=path, theme=theme):
                    self.browser.open(self.weir.url + path)
                    self.browser.run("localStorage.setItem('theme', arguments[0])", theme)
                    self.browser.open(self.weir.url + path)
                    self.browser.wait_for("the page", "return !!document.querySelector('main .page h1')")
                    self.assertEqual(self.violations(), [])
        self.browser.run("localStorage.clear()")

    def test_pages_fit_a_phone_and_a_zoom_of_200_percent(self):
        for width in (360, 640):
            self.browser.chrome("Emulation.setDeviceMetricsOverride", width=width, height=740, deviceScaleFactor=1, mobile=False)
            self.addCleanup(self.browser.chrome, "Emulation.clearDeviceMetricsOverride")
            for path in (*PAGES, f"/ui/requests/{self.fact('patient')['id']}"):
                self.browser.open(self.weir.url + path)
                self.browser.wait_for("the page", "return !!document.querySelector('main .page h1')")
                self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), width, path)


@unittest.skipUnless(os.environ.get("OIDC_PROVIDER_FOLDER"), "npm's oidc-provider is not installed")
class Login(unittest.TestCase):
    """The login at an identity provider that the OpenID Foundation has certified, by a click."""

    def start(self, rights):
        """A Weir and the provider that it sends browsers to."""
        provider_port, port = free_port(), free_port()
        script = ROOT / "host/identity/tests/provider/provider.mjs"
        command = ["node", str(script), str(provider_port), f"http://127.0.0.1:{port}/admin/login/callback"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(any(line == "ready\n" for line in process.stdout), "the provider does not start")
        login = (f'[admin.login]\nname = "Sign in at the works"\nissuer = "http://127.0.0.1:{provider_port}"\n'
                 'client_id = "weir"\nclient_secret = "a secret: with & signs"\nallow_http = true\n'
                 f'redirect_uri = "http://127.0.0.1:{port}/admin/login/callback"\n{rights}')
        weir = gateway.Weir(gateway.Provider(), admin=login, port=port)
        self.addCleanup(weir.close)
        page = browser.Browser()
        self.addCleanup(page.close)
        page.open(weir.url + "/ui/")
        page.wait_for_page("Sign in to Weir")
        page.press("a", "Sign in at the works")
        return page

    def test_a_click_on_the_button_leads_through_the_provider_to_a_session_that_signing_out_ends(self):
        page = self.start('write = [{ claim = "/groups", pattern = "weir-*" }]')
        page.wait_for_page("Overview")
        session = page.run("return await (await fetch('/admin/v1/session')).json()")
        self.assertEqual((session["actor"]["id"], session["access"]), ("ada", "write"))
        self.assertEqual(page.path(), "/ui/", "neither the code nor the state stays in the address")
        kept = page.run("return JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie")
        self.assertNotIn("eyJ", kept, "no token of the provider is in reach of a script")
        made = page.run(
            "return (await fetch('/admin/v1/teams', { method: 'POST', body: JSON.stringify({ id: 'red', name: 'Red' }),"
            " headers: { 'content-type': 'application/json', 'x-csrf-token': arguments[0] } })).status", session["csrf_token"])
        self.assertEqual(made, 201)
        page.press("button", "Sign out")
        page.wait_for_page("Sign in to Weir")
        self.assertEqual(page.run("return (await fetch('/admin/v1/session')).status"), 401)

    def test_a_person_without_rights_is_told_so_and_gets_no_session(self):
        page = self.start('write = [{ claim = "/groups", pattern = "others" }]')
        page.wait_for_text("have no rights here")
        self.assertEqual(page.run("return (await fetch('/admin/v1/session')).status"), 401)


class Alone(unittest.TestCase):
    """Gateways that are set up otherwise."""

    def setUp(self):
        self.provider = gateway.Provider()
        self.browser = browser.Browser()
        self.addCleanup(self.browser.close)

    def start(self, **settings):
        weir = gateway.Weir(self.provider, **settings)
        self.addCleanup(weir.close)
        return weir

    def test_without_a_token_this_machine_needs_no_login(self):
        weir = self.start(admin="", keyed=False)
        self.browser.open(weir.url + "/ui/")
        self.browser.wait_for_page("Overview")
        self.browser.wait_for_text("No request in this time.")
        self.assertIn("This machine", self.browser.text())
        self.assertEqual(self.browser.run("return (await fetch('/admin/reload', { method: 'POST' })).status"), 403)
        allowed = self.browser.run(
            "const session = await (await fetch('/admin/v1/session')).json();"
            "return (await fetch('/admin/reload', { method: 'POST', headers: { 'x-csrf-token': session.csrf_token } })).status")
        self.assertEqual(allowed, 200)

    def sign_in(self, weir):
        self.browser.open(weir.url + "/ui/")
        self.browser.wait_for_page("Sign in")
        self.browser.type(self.browser.field("Token"), TOKEN)
        self.browser.press("button", "Sign in")

    def test_versions_that_differ_are_shown_side_by_side(self):
        # Without fixtures, which would refuse the other version.
        weir = self.start(fixtures=False)
        body = {"model": "o3-mini", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
        answer = weir.ask("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEYS['search']}"})
        self.assertEqual(answer[0], 200, answer[1])
        weir.until_kept(answer[2]["x-weir-request-id"])
        plugins = Path(weir.folder.name, "plugins")
        served = (plugins / "openai.wasm").read_bytes()
        # The same length in another spelling, so that the component stays one.
        other = Path(weir.folder.name, "openai.wasm")
        other.write_bytes(served.replace(b"max_completion_tokens", b"max_completion_tokenz"))
        self.sign_in(weir)
        self.browser.wait_for_page("Overview")
        self.browser.open(weir.url + "/ui/adapters/openai")
        self.browser.press("main button", "Shadow run")
        self.browser.type(self.browser.field("Component"), str(other))
        self.browser.press("dialog button", "Begin")
        self.browser.wait_for("the run", "return location.pathname.startsWith('/ui/shadow-runs/')", timeout=gateway.TIMEOUT)
        self.browser.with_text(".badge", "done")
        self.browser.wait_for_text("1 of them different")
        row = self.browser.run("return [...document.querySelector('.added').closest('tr').children].map((cell) => cell.innerText)")
        self.assertEqual(row, ["upstream", "/body/max_completion_tokens", "64", "nothing"])
        # A recording that the version in service does not reproduce.
        fixtures = plugins / "openai.fixtures"
        shutil.copytree(PLUGINS / "openai/fixtures", fixtures)
        recording = json.loads((fixtures / "chat-tools.json").read_text())
        recording["expect"]["request"]["messages"][0]["parts"][0]["text"]["text"] = "Be long."
        (fixtures / "chat-tools.json").write_text(json.dumps(recording))
        self.browser.open(weir.url + "/ui/adapters/openai")
        self.browser.press("button", "Replay them now")
        self.browser.wait_for_text(f"1 of {len(list(fixtures.glob('*.json')))} differ:", timeout=gateway.TIMEOUT)
        shown = [self.browser.run(f"return document.querySelector('main .{kind}').innerText") for kind in ("added", "removed")]
        self.assertIn("Be long.", shown[0])
        self.assertIn("Be brief.", shown[1])

    def test_a_shadow_run_is_cancelled(self):
        weir = self.start(fixtures=False)
        # So long that the run of all of them lasts.
        text = "water " * 100_000
        for _ in range(40):
            answer = weir.chat("gpt-4o", text=text)
            self.assertEqual(answer[0], 200, answer[1])
        for fact in weir.until_logged(40):
            weir.until_kept(fact["id"])
        other = Path(weir.folder.name, "openai.wasm")
        other.write_bytes(Path(weir.folder.name, "plugins/openai.wasm").read_bytes() + b"\x00\x05\x03twn\x01")
        self.sign_in(weir)
        self.browser.wait_for_page("Overview")
        self.browser.open(weir.url + "/ui/adapters/openai")
        self.browser.press("main button", "Shadow run")
        self.browser.type(self.browser.field("Component"), str(other))
        # Pressed as soon as it is there.
        self.browser.run(
            "const press = () => [...document.querySelectorAll('main button')].find((one) => one.innerText === 'Cancel the run')?.click();"
            "new MutationObserver(press).observe(document.body, { childList: true, subtree: true })")
        self.browser.press("dialog button", "Begin")
        self.browser.wait_for("the run", "return location.pathname.startsWith('/ui/shadow-runs/')", timeout=gateway.TIMEOUT)
        self.browser.with_text(".badge", "cancelled")
        self.assertEqual(self.browser.run("return [...document.querySelectorAll('main button')].length"), 0, "there is nothing left to cancel")
        [run] = json.loads(weir.get("/admin/v1/shadow-runs"))["items"]
        self.assertEqual(run["status"], "cancelled")
        self.assertLess(run["compared"], 40)
        self.browser.open(weir.url + "/ui/shadow-runs")
        self.browser.with_text(".badge", "cancelled")

    def weir_plugin(self, folder, *words):
        subprocess.run([BINARY, "plugin", *words], cwd=folder, check=True, capture_output=True)

    def test_a_signed_adapter_is_uploaded_with_its_signature(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-ui-")
        self.addCleanup(folder.cleanup)
        self.weir_plugin(folder.name, "keygen", "--out", "ours")
        key = Path(folder.name, "ours.pub").read_text().strip()
        weir = self.start(fixtures=False, trusted=[key])
        component = Path(folder.name, "openai.wasm")
        component.write_bytes((PLUGINS / "openai.wasm").read_bytes() + b"\x00\x05\x03twn\x01")
        self.weir_plugin(folder.name, "sign", component.name, "--key", "ours.key")
        self.sign_in(weir)
        self.browser.wait_for_page("Overview")
        self.browser.open(weir.url + "/ui/adapters/openai")
        self.browser.wait_for_text("not signed")
        self.browser.press("main button", "Upload a version")
        self.browser.type(self.browser.field("Component"), str(component))
        self.browser.type(self.browser.field("Signature"), f"{component}.sig")
        self.browser.press("dialog button", "Upload")
        signer = "return [...document.querySelectorAll('dt')].find((term) => term.innerText === 'Signed by')?.nextSibling.innerText"
        self.browser.wait_for("the signer", f"return (() => {{ {signer} }})() === arguments[0]", key, timeout=gateway.TIMEOUT)
        self.assertIn(hashlib.sha256(component.read_bytes()).hexdigest(), self.browser.text())

    def test_a_target_that_rests_says_why_and_how_long(self):
        weir = self.start(settings=(
            f'[[providers]]\nname = "weak"\nadapter = "openai"\nurl = "{self.provider.url}/v1"\napi_key = "KEY"\nretry = {{ max_retries = 0 }}\n'
            'breaker = { min_attempts = 1, open = "1h" }\n[[models]]\nalias = "weak"\ntarget = { provider = "weak", model = "broken" }\n'))
        self.assertEqual(weir.chat("weak")[0], 500)
        self.sign_in(weir)
        self.browser.wait_for_page("Overview")
        self.browser.press("nav a", "Targets")
        row = "return [...document.querySelectorAll('tbody tr')].find((row) => row.innerText.startsWith('weak'))?.innerText"
        self.browser.wait_for("its state", f"return (() => {{ {row} }})()?.includes('resting')")
        self.assertIn("open", self.browser.run(row))
        self.assertRegex(self.browser.run(row), r"again in \d+ min")

    def test_a_budget_says_what_it_comes_to_at_this_pace(self):
        weir = self.start()
        budget = {"name": "all", "for": "all", "unit": "usd", "limit": "100", "spent": "60", "reserved": "0", "left": "40", "origin": "store"}
        script = ("const ask = window.fetch; window.fetch = async (url, ...rest) => {"
                  " if (!String(url).startsWith('/admin/v1/budgets')) return ask(url, ...rest);"
                  " const at = (days) => new Date(Date.now() + days * 24 * 3600 * 1000).toISOString();"
                  f" const budget = {{ ...{json.dumps(budget)}, window: {{ start: at(-10), end: at(10) }}, resets: at(10) }};"
                  " return new Response(JSON.stringify({ items: [budget], more: 0 })); };")
        self.sign_in(weir)
        self.browser.wait_for_page("Overview")
        with self.browser.beforehand(script):
            self.browser.open(weir.url + "/ui/budgets")
            self.browser.wait_for_text("at this pace $120.00 by then")
            self.assertEqual(self.browser.run("return document.querySelectorAll('.bar.warn').length"), 1, "it is going to be too much")

    def test_without_a_store_pages_say_what_is_off(self):
        weir = self.start(store=False)
        self.sign_in(weir)
        self.browser.wait_for_text("Weir keeps no log")
        self.browser.press("nav a", "Requests")
        self.browser.wait_for_text("[store] url")

    def test_an_open_page_goes_on_after_a_restart(self):
        weir = self.start(admin="", keyed=False)
        self.browser.open(weir.url + "/ui/requests")
        self.browser.wait_for_text("No request yet.")
        weir.stop()
        self.browser.press("nav a", "Overview")
        self.browser.wait_for_text("Weir does not answer. This page goes on")
        weir.start()
        self.browser.wait_for_text("No request in this time.")
        self.assertNotIn("Weir does not answer", self.browser.text())

    def test_a_page_that_follows_requests_goes_on_after_a_restart(self):
        weir = self.start(admin="", keyed=False)
        self.browser.open(weir.url + "/ui/requests?live=true")
        self.browser.wait_for_text("Following: 0 shown")
        weir.stop()
        self.browser.wait_for_text("Weir does not answer")
        weir.start()
        self.browser.wait_for("the page", "return !document.body.innerText.includes('Weir does not answer')")
        self.browser.wait_for_text("Following: 0 shown")
        weir.chat("gpt-4o")
        self.browser.wait_for_text("Following: 1 shown")

    def test_a_session_that_a_restart_ended_asks_for_the_token_and_returns_to_its_page(self):
        weir = self.start()
        self.browser.open(weir.url + "/ui/requests?live=true")
        for _ in range(2):
            self.browser.wait_for_page("Sign in to Weir")
            self.browser.type(self.browser.field("Token"), TOKEN)
            self.browser.press("button", "Sign in")
            self.browser.wait_for_text("Following: 0 shown")
            weir.stop()
            weir.start()
        self.browser.wait_for_page("Sign in to Weir")


if __name__ == "__main__":
    unittest.main()

"""Chromium through chromedriver: a small client of the WebDriver protocol, which needs no package."""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT = 20
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Failed(Exception):
    """What the driver refuses."""


def programs():
    """The paths of Chromium and its driver, or None."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """A browser with a profile of its own."""

    def __init__(self, width=1280, height=900, dark=False, scale=1):
        browser, driver = programs()
        self.folder = tempfile.mkdtemp(prefix="weir-ui-")
        self.url = f"http://127.0.0.1:{self._start(driver)}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     f"--window-size={width},{height}", f"--force-device-scale-factor={scale}",
                     f"--user-data-dir={self.folder}/profile", "--disable-background-networking", "--no-first-run"]
        if dark:
            arguments.append("--force-dark-mode")
        options = {"binary": browser, "args": arguments}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def _start(self, driver):
        """Starts the driver and returns its port. The driver takes a free port of IPv6 and then the same of IPv4, which
        another program may have: it ends then, and is started again."""
        log = Path(self.folder, "log")
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            with log.open("wb") as sink:
                self.driver = subprocess.Popen([driver, "--port=0"], stdout=sink, stderr=sink)
            while time.monotonic() < end and self.driver.poll() is None:
                found = re.search(r"started successfully on port (\d+)", log.read_text(errors="replace"))
                if found:
                    return int(found[1])
                time.sleep(0.05)
        self.driver.kill()
        self.driver.wait()
        raise Failed(f"chromedriver did not start: {log.read_text(errors='replace')}")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Failed(json.load(error)["value"]["message"]) from None

    def call(self, method, path, body=None):
        """A command of the session."""
        return self._call(method, self.session + path, body)

    def chrome(self, command, **parameters):
        """A command of the browser's own protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self):
        try:
            self._call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=10)
            shutil.rmtree(self.folder, ignore_errors=True)

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def path(self):
        return self.run("return location.pathname + location.search")

    def run(self, script, *arguments):
        """Runs a script; it may return a value."""
        whole = f"return (async function () {{ {script} }}).apply(null, arguments)"
        return self.call("POST", "/execute/sync", {"script": whole, "args": list(arguments)})

    def wait_for(self, what, script, *arguments, timeout=TIMEOUT):
        """Waits until a script returns something true, and returns that."""
        end = time.monotonic() + timeout
        while True:
            found = self.run(script, *arguments)
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}; the page says:\n{self.text()}")
            time.sleep(0.05)

    def wait_for_text(self, text, timeout=TIMEOUT):
        """Waits until the page shows a text."""
        return self.wait_for(repr(text), "return document.body.innerText.includes(arguments[0])", text, timeout=timeout)

    def wait_for_page(self, heading):
        """Waits until a page with this heading is shown."""
        script = "return [...document.querySelectorAll('h1')].some(h => h.innerText.includes(arguments[0]))"
        return self.wait_for(f"the page {heading!r}", script, heading)

    def text(self):
        return self.run("return document.body.innerText")

    def find(self, selector):
        """The first visible element of a CSS selector."""
        script = "return [...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility()) ?? null"
        return self.wait_for(selector, script, selector)

    def with_text(self, selector, text):
        """The first visible element whose text is this."""
        script = ("return [...document.querySelectorAll(arguments[0])]"
                  ".find(e => e.checkVisibility() && e.innerText.trim() === arguments[1]) ?? null")
        return self.wait_for(f"{selector} {text!r}", script, selector, text)

    def field(self, label):
        """The input of a label."""
        script = ("const label = [...document.querySelectorAll('label')]"
                  ".find(l => l.checkVisibility() && l.firstChild.textContent === arguments[0]);"
                  "return label?.querySelector('input, select, textarea') ?? null")
        return self.wait_for(f"the field {label!r}", script, label)

    def click(self, element):
        self.call("POST", f"/element/{element[ELEMENT]}/click", {})

    def press(self, selector, text):
        """Clicks what has this text, also if the page was shown anew in between."""
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.click(self.with_text(selector, text))
            except Failed as error:
                if "stale element" not in str(error) or time.monotonic() > end:
                    raise

    def type(self, element, text):
        self.call("POST", f"/element/{element[ELEMENT]}/value", {"text": text})

    def set(self, label, text):
        """Replaces what a field has."""
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                element = self.field(label)
                self.run("arguments[0].value = ''", element)
                return self.type(element, text)
            except Failed as error:
                if "stale element" not in str(error) or time.monotonic() > end:
                    raise

    def key(self, *keys):
        """Presses keys one after the other, without an element: where the focus is."""
        actions = [step for key in keys for step in ({"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    @contextlib.contextmanager
    def beforehand(self, script):
        """Runs a script in each page that is opened, before those of the page."""
        made = self.chrome("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        try:
            yield
        finally:
            self.chrome("Page.removeScriptToEvaluateOnNewDocument", identifier=made)

    def log(self):
        """What the browser complained about since the last call."""
        return [f"{line['level']}: {line['message']}" for line in self.call("POST", "/se/log", {"type": "browser"})]

    def cookies(self):
        return self.call("GET", "/cookie")

    def picture(self, file):
        """The visible part of the page as a PNG file."""
        Path(file).write_bytes(base64.b64decode(self.call("GET", "/screenshot")))


def axe():
    """The text of axe-core, if it was fetched."""
    file = os.environ.get("WEIR_AXE")
    return Path(file).read_text() if file and Path(file).exists() else None

"""The setup of the tests: a scripted upstream, a Weir in front of it, and clients that connect to either."""

import atexit
import faulthandler
import functools
import gc
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

from script import MODELS
from upstream import KEY, Upstream
from weir_process import PLUGINS, free_port, start, stop, wait_for

# If a client leaves a stream unread, the garbage collector closes it. It may run while the HTTP library holds a lock
# that closing needs too: then the thread deadlocks. These runs are short, so no collection is needed.
gc.disable()
# Prints the stacks of a run that hangs for another reason, and ends it.
faulthandler.dump_traceback_later(15 * 60, exit=True)

CLIENT_KEY = "sk-client"
# The path of each provider's format at the upstream, and the provider's options for sending the key.
PROVIDERS = {
    "openai": ("/v1/", {}),
    "anthropic": ("/v1/", {}),
    "gemini": ("/v1beta/", {}),
    "ollama": ("/", {"auth": "bearer"}),
    "cohere": ("/", {}),
    "bedrock": ("/", {"auth": "bearer"}),
}


@functools.cache
def upstream() -> Upstream:
    return Upstream()


@functools.cache
def weir() -> str:
    """Starts Weir; returns its address."""
    folder = tempfile.TemporaryDirectory(prefix="weir-clients-")
    atexit.register(folder.cleanup)
    port = free_port()
    config = Path(folder.name, "weir.toml")
    config.write_text(configuration(port))
    log = Path(folder.name, "log")
    process = start(config, log, {"UPSTREAM_KEY": KEY})
    # Registered last, so that it ends before its folder is removed.
    atexit.register(stop, process)
    address = f"http://127.0.0.1:{port}"
    wait_for(address, process, log)
    return address


def configuration(port: int) -> str:
    """The configuration: every model of the script at all providers, in the relay lane if the formats are the same, and
    forced to translate.
    """
    head = f'log_level = "warn"\n[server]\nhost = "127.0.0.1"\nport = {port}\ngrpc_reflection = true\n[plugins]\ndir = "{PLUGINS}"\n'
    models = [section(provider, name, forced) for provider in PROVIDERS for name in MODELS for forced in (False, True)]
    return head + "\n".join([*map(account, PROVIDERS), *models])


def account(provider: str) -> str:
    """The configuration of a provider. Failures are reported at once and no target rests after one, so that tests are
    independent.
    """
    path, options = PROVIDERS[provider]
    inside = ", ".join(f'{key} = "{value}"' for key, value in options.items())
    lines = ["[[providers]]", f'name = "{provider}"', f'adapter = "{provider}"', f'url = "{upstream().url}{path}"']
    lines += ['api_key = "env:UPSTREAM_KEY"', f"options = {{ {inside} }}", "retry = { max_retries = 0 }"]
    return "\n".join([*lines, 'breaker = { min_attempts = 1000000, max_cooldown = "0s" }\n'])


def section(provider: str, name: str, forced: bool) -> str:
    """The configuration of one model of the script."""
    alias = f"{provider}-{name}" + ("-forced" if forced else "")
    lines = ["[[models]]", f'alias = "{alias}"', f'target = {{ provider = "{provider}", model = "{name}" }}']
    return "\n".join([*lines, f"translate = {str(forced).lower()}\n"])


@dataclass(frozen=True)
class Lane:
    """A path from a client to the script: `direct` tests the script itself, the others go through Weir.

    `provider` is the format of the upstream.
    """

    name: str
    provider: str

    @property
    def is_direct(self) -> bool:
        return self.name == "direct"

    @property
    def translates(self) -> bool:
        return self.name in {"translate", "across", "forced"}

    @property
    def address(self) -> str:
        return upstream().url if self.is_direct else weir()

    @property
    def key(self) -> str:
        return KEY if self.is_direct else CLIENT_KEY

    def model(self, scenario: str) -> str:
        """The client's name for the model."""
        if self.is_direct:
            return scenario
        return f"{self.provider}-{scenario}" + ("-forced" if self.name == "forced" else "")

    def answering(self, scenario: str) -> str:
        """The model's name in answers, in both lanes: the upstream's name, or the requested one if the format's answers
        have none.
        """
        dated = self.provider in {"openai", "anthropic", "gemini", "responses"}
        return f"{scenario}-2026-01-01" if dated else scenario

    def options(self, path: str = "") -> dict:
        return {"base_url": self.address + path, "api_key": self.key, "max_retries": 0, "timeout": 30}

    # Each environment has its own clients.
    def openai(self, prefix: str = ""):
        from openai import OpenAI

        return OpenAI(**self.options(f"{prefix}/v1"))

    def async_openai(self):
        from openai import AsyncOpenAI

        return AsyncOpenAI(**self.options("/v1"))

    def anthropic(self):
        from anthropic import Anthropic

        return Anthropic(**self.options())

    def async_anthropic(self):
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(**self.options())


def lanes(face: str) -> list[Lane]:
    """All lanes for clients of one format: to the same format, and to the two most common ones.

    OpenAI's responses and legacy completions are separate formats; the script does not implement the latter, so they
    are only translated.
    """
    if face == "completions":
        return [Lane("translate", "anthropic"), Lane("across", "gemini")]
    if face == "responses":
        return [*(Lane(name, "openai") for name in ("direct", "relay", "forced")), *lanes("completions")]
    own = [Lane(name, face) for name in ("direct", "relay", "forced")]
    others = [it for it in ("openai", "anthropic") if it != face]
    return own + [Lane(*it) for it in zip(("translate", "across"), others)]


def in_lanes(face: str, *names: str):
    """Makes one test case a lane of a class of tests; the class itself is not run.

    The cases are named after it: `DirectChat`, `RelayChat`, ...
    """

    def place(tests: type) -> type:
        module = sys.modules[tests.__module__]
        for lane in lanes(face):
            if not names or lane.name in names:
                name = lane.name.title() + tests.__name__
                members = {"lane": lane, "__module__": tests.__module__}
                setattr(module, name, type(name, (tests, unittest.TestCase), members))
        return tests

    return place

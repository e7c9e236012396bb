"""A running Weir in front of the replay: each recorded provider is configured, each model of each recording is an
alias.
"""

import faulthandler
import functools
import gc
import json
import subprocess
import tempfile
from pathlib import Path

from data import Recording, formats, providers
from weir_process import BINARY, PLUGINS, free_port, start, stop, wait_for

# Like in the clients' tests: the garbage collector must not close a forgotten stream while the HTTP library holds its
# lock.
gc.disable()
# Prints the stacks of a run that hangs, and ends it.
faulthandler.dump_traceback_later(30 * 60, exit=True)

# On its first start Weir compiles the adapters.
START_SECONDS = 300


@functools.cache
def known(adapter: str) -> frozenset:
    """The formats of an adapter; empty if it is not built."""
    file = PLUGINS / f"{adapter}.wasm"
    if not file.exists():
        return frozenset()
    text = subprocess.run([BINARY, "plugin", "inspect", str(file)], capture_output=True, check=True, text=True).stdout
    return frozenset(it["id"] for it in json.loads(text)["manifest"]["formats"])


def adapter(provider: str, format: str) -> str | None:
    """The adapter for a provider's answers in a format; None if it is not built."""
    names = [*providers().get(provider, {}).get("adapters", []), *formats()[format].adapters]
    return next((name for name in names if format in known(name)), None)


@functools.cache
def dialects() -> tuple:
    """The formats that clients can use with this Weir."""
    built = [it for it in formats().values() if it.dialect and any(it.id in known(name) for name in it.adapters)]
    return tuple(it.id for it in built)


class Gateway:
    """One Weir, until it is closed. `alias` is the name for a recording's model."""

    def __init__(self, upstream: str, recordings: list[Recording]):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-fidelity-")
        self.names: dict[tuple, str] = {}
        self.sections: list[str] = []
        self.upstream = upstream
        self.made: set[str] = set()
        for it in recordings:
            self.target(it.provider, it.format, it.model)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = Path(self.folder.name, "weir.toml")
        config.write_text(self.configuration(port))
        self.log = Path(self.folder.name, "log")
        self.process = start(config, self.log)
        wait_for(self.url, self.process, self.log, START_SECONDS)

    def alias(self, recording: Recording, forced: bool = False) -> str | None:
        name = self.names.get((recording.provider, recording.format, recording.model))
        return name and (f"forced-{name}" if forced else name)

    def target(self, provider: str, format: str, model: str):
        place = (provider, format, model)
        chosen = adapter(provider, format)
        if chosen is None or place in self.names:
            return
        name = f"{provider}-{format}".replace(".", "-").replace("_", "-")
        if name not in self.made:
            self.made.add(name)
            self.sections.append(self.provider(name, chosen, provider, format))
        self.names[place] = f"m{len(self.names)}"
        for prefix, forced in (("", "false"), ("forced-", "true")):
            self.sections.append(
                f'[[models]]\nalias = "{prefix}{self.names[place]}"\ntranslate = {forced}\n'
                f"target = {{ provider = {json.dumps(name)}, model = {json.dumps(model)} }}\n"
            )

    def provider(self, name: str, adapter: str, provider: str, format: str) -> str:
        words = providers().get(provider, {})
        lines = [
            "[[providers]]",
            f'name = "{name}"',
            f'adapter = "{adapter}"',
            f'url = "{self.upstream}/{name}/v1/"',
            f"api_key = {json.dumps(words.get('api_key', 'sk-upstream'))}",
            "retry = { max_retries = 0 }",
            'breaker = { min_attempts = 1000000, max_cooldown = "0s" }',
        ]
        if len(known(adapter) & formats().keys()) > 1:
            lines.append(f'format = "{format}"')
        if "region" in words:
            lines.append(f'region = "{words["region"]}"')
        if options := words.get("options"):
            inside = ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
            lines.append(f"options = {{ {inside} }}")
        return "\n".join(lines) + "\n"

    def configuration(self, port: int) -> str:
        head = f'log_level = "warn"\n[server]\nhost = "127.0.0.1"\nport = {port}\n[plugins]\ndir = "{PLUGINS}"\n'
        return head + "\n".join(self.sections)

    def close(self):
        stop(self.process)
        self.folder.cleanup()

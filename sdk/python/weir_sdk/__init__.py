"""The base for adapters in Python.

`weir_sdk.compat` is the base for OpenAI-compatible providers. For any other format write one class for each interface
of the world and pass them to `export`; `weir_sdk.model` has builders with defaults, `weir_sdk.wire` reads and writes
JSON.
"""

from . import compat, model, wire
from .export import export
from .losses import Losses
from .model import fail

__all__ = ["Losses", "compat", "export", "fail", "model", "wire"]

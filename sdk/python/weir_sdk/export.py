"""Makes an adapter's exports from plain objects.

`export(__name__, about=..., provider_chat=...)` puts the classes that `componentize-py` looks for into the adapter's
module. A guard around each function turns exceptions into errors of the contract instead of traps, and converts results
to
fit the contract.
"""

import inspect
import sys
import traceback
import types as python
import typing
from typing import Any, Callable

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types as t

from . import fit

_FIT_ERROR = fit.plan(t.Error)
# Longest text of an exception in an error, in characters.
_LONGEST = 300


def export(module: str, **interfaces: Any) -> None:
    """Exports the objects as the adapter's interfaces; there must be one for each interface of the world.

    An object has the interface's functions as methods (`render_request`), and its resource as a class (`ChatDecoder`).
    """
    target = sys.modules[module]
    for name, protocol in _protocols().items():
        if name not in interfaces:
            raise TypeError(f"the world exports {name}, but nothing implements it")
        given = interfaces[name]
        if name == "about":
            given = _Described(given)
        setattr(target, protocol.__name__, _guarded_class(protocol, given))
        _export_resources(name, given)


class _Described:
    """The manifest, made once: when the component is built."""

    def __init__(self, about: Any):
        hint = typing.get_type_hints(exports.About.describe)["return"]
        self.manifest = fit.plan(hint)(about.describe())

    def describe(self) -> Any:
        return self.manifest


def _protocols() -> dict[str, type]:
    """The interfaces of the world by their modules' names: `provider_chat` for `ProviderChat`."""
    found = {}
    for name, value in vars(exports).items():
        if isinstance(value, type) and value.__module__ == exports.__name__ and _functions(value):
            found["".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")] = value
    return found


def _functions(protocol: type) -> dict[str, Callable]:
    return {
        name: value
        for name, value in vars(protocol).items()
        if inspect.isfunction(value) and getattr(value, "__isabstractmethod__", False)
    }


def _guarded_class(protocol: type, given: Any) -> type:
    members: dict[str, Any] = {}
    for name, function in _functions(protocol).items():
        call = getattr(given, name, None)
        if call is None:
            raise TypeError(f"{type(given).__name__} has no {name}, which {protocol.__name__} needs")
        members[name] = _guarded(call, typing.get_type_hints(function)["return"])
    return type(protocol.__name__, (protocol,), members)


def _guarded(call: Callable, hint: Any) -> Callable:
    fitting = fit.plan(hint)

    def method(self: Any, *args: Any) -> Any:
        try:
            return fitting(call(*args))
        except Exception as error:
            if hint is t.Error:
                return problem(error)
            raise Err(problem(error)) from None

    return method


def problem(error: BaseException) -> t.Error:
    """Converts an exception to an error of the contract."""
    if isinstance(error, Err):
        try:
            return _FIT_ERROR(error.value)
        except Exception as inner:
            error = inner
    # For the log: the host captures standard error.
    traceback.print_exception(error)
    words = f"{type(error).__name__}: {error}"[:_LONGEST]
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        words += f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})"
    return t.Error(t.ErrorKind.INTERNAL, fit.text(words), None, None, None, None)


def _export_resources(name: str, given: Any) -> None:
    """Puts a resource's class into a top-level module of its interface's name, where `componentize-py` looks for it."""
    module = sys.modules.get(f"wit_world.exports.{name}")
    for resource, protocol in vars(module).items() if module else ():
        if isinstance(protocol, type) and protocol.__module__ == module.__name__ and _functions(protocol):
            place = sys.modules.setdefault(name, python.ModuleType(name))
            setattr(place, resource, _resource(protocol, getattr(given, resource)))


def _resource(protocol: type, make: Callable) -> type:
    """The resource's class. Its constructor cannot fail, so an error in it is reported by the first call."""

    def init(self: Any, *args: Any) -> None:
        try:
            self.inner, self.broken = make(*args), None
        except Exception as error:
            self.inner, self.broken = None, error

    members: dict[str, Any] = {"__init__": init}
    for name, function in _functions(protocol).items():
        if name != "__init__":
            members[name] = _forwarded(name, typing.get_type_hints(function)["return"])
    return type(protocol.__name__, (protocol,), members)


def _forwarded(name: str, hint: Any) -> Callable:
    fitting = fit.plan(hint)

    def method(self: Any, *args: Any) -> Any:
        try:
            if self.broken is not None:
                raise self.broken
            return fitting(getattr(self.inner, name)(*args))
        except Exception as error:
            raise Err(problem(error)) from None

    return method

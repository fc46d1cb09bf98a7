"""From a reference in a definition to a callable, and back.

A reference is one of three: a registered name (`@task(name="mail_send")`), `module:qualname`, or a script's path and a
qualname (`jobs/import.py:clean`, which is how functions of `__main__` are stored). What is stored must lead back to the
same object in another process, so `reference_of` proves that it does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar, overload

from msgspec import Struct

from mainspring.errors import HandlerNotFound
from mainspring.tasks.loading import explain, load_module, load_script, walk

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)

_ATTRIBUTE = "__mainspring_task__"


class TaskSpec(Struct, frozen=True):
    """What the decorator was told. `named` is whether the name was given (else it is the function's own)."""

    name: str
    process: bool = False
    named: bool = False


# By given name; by own name (several functions of different modules may share one: then the name alone finds none).
_named: dict[str, Handler] = {}
_unnamed: dict[str, list[Handler]] = {}


@overload
def task(function: F, /) -> F: ...
@overload
def task(function: None = None, /, *, name: str | None = None, process: bool = False) -> Callable[[F], F]: ...
def task(function: F | None = None, /, *, name: str | None = None, process: bool = False) -> F | Callable[[F], F]:
    """Make a callable known as a task. The callable itself comes back: it can be called and tested as before.

    `name` is how definitions call it (else its own name); with `process` each call runs in a process of its own pool.
    """

    def register(handler: F) -> F:
        own_name = getattr(handler, "__name__", None) or type(handler).__name__
        spec = TaskSpec(name or own_name, process, name is not None)
        if spec.named:
            _register_named(spec.name, handler)
        else:
            _register_unnamed(spec.name, handler)
        try:
            setattr(handler, _ATTRIBUTE, spec)
        except (AttributeError, TypeError) as error:
            if process:
                raise TypeError(f"{handler!r} takes no attributes: wrap it in a function") from error
        return handler

    return register if function is None else register(function)


def spec_of(handler: Handler) -> TaskSpec | None:
    """What the decorator was told about this callable; None where it has none."""
    spec = getattr(handler, _ATTRIBUTE, None)
    return spec if isinstance(spec, TaskSpec) else None


def registered() -> tuple[str, ...]:
    """All names that find a task by themselves."""
    return tuple(sorted(set(_named) | {name for name, known in _unnamed.items() if len(known) == 1}))


def find(reference: str, folder: str = ".") -> Handler:
    """The callable that a reference means, for a definition that was read in `folder`. Raises HandlerNotFound."""
    known = _by_name(reference)
    if known is not None:
        return known
    where, colon, qualname = reference.rpartition(":")
    if not colon or not where or not qualname:
        raise HandlerNotFound(_unknown_name(reference))
    is_script = where.endswith(".py") or "/" in where or "\\" in where
    module = load_script(where, folder) if is_script else load_module(where, folder)
    return walk(module, qualname, reference)


def reference_of(handler: Handler) -> str:
    """The reference that finds this callable again, in this process and in another. Raises HandlerNotFound."""
    found = importable_reference(handler)
    if found is not None:
        return found
    spec = spec_of(handler)
    if spec is not None and _by_name(spec.name) is handler:
        return spec.name
    raise HandlerNotFound(
        f"{_title(handler)} cannot be stored: no reference leads back to it. Lambdas, closures and callable objects "
        f'need a name of their own: ms.task(name="…")(…); other functions must stand at the top of their module'
    )


def importable_reference(handler: Handler) -> str | None:
    """`module:qualname` (or a script's path for `__main__`), where that leads to the same object; else None."""
    module_name = getattr(handler, "__module__", None)
    qualname = getattr(handler, "__qualname__", None)
    module = sys.modules.get(module_name or "")
    if module is None or not qualname or "<" in qualname:
        return None
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    # A bound class method is a new object at each look, equal to the last.
    if found is not handler and not (found == handler and hasattr(handler, "__func__")):
        return None
    if module_name != "__main__":
        return f"{module_name}:{qualname}"
    path = getattr(module, "__file__", None)
    return f"{_absolute(path)}:{qualname}" if path else None


def _absolute(path: str) -> str:
    from pathlib import Path

    return str(Path(path).resolve())


def _by_name(name: str) -> Handler | None:
    known = _named.get(name)
    if known is not None:
        return known
    candidates = _unnamed.get(name, ())
    return candidates[0] if len(candidates) == 1 else None


def _register_named(name: str, handler: Handler) -> None:
    known = _named.get(name)
    if known is not None and known is not handler and not _replaces(handler, known):
        raise ValueError(f"two tasks want the name {name!r}: {_title(known)} and {_title(handler)}")
    _named[name] = handler


def _register_unnamed(name: str, handler: Handler) -> None:
    candidates = [known for known in _unnamed.get(name, ()) if not _replaces(handler, known)]
    _unnamed[name] = [*candidates, handler]


def _replaces(new: Handler, old: Handler) -> bool:
    """Whether `new` is `old` made again: the same place in the same file (a reload), or both made inside functions."""
    return _place(new) == _place(old) or (_is_local(new) and _is_local(old))


def _place(handler: Handler) -> tuple[str, str]:
    code = getattr(handler, "__code__", None)
    file = getattr(code, "co_filename", None) or getattr(handler, "__module__", "") or ""
    return file, getattr(handler, "__qualname__", "") or repr(handler)


def _is_local(handler: Handler) -> bool:
    return "<" in getattr(handler, "__qualname__", "<")


def _title(handler: Handler) -> str:
    file, qualname = _place(handler)
    return f"{qualname} ({file})"


def _unknown_name(name: str) -> str:
    shared = _unnamed.get(name, ())
    if len(shared) > 1:
        modules = " and ".join(f"{known.__module__}:{known.__qualname__}" for known in shared)
        return f"{name!r} is the name of {len(shared)} tasks: write the one that you mean, {modules}"
    message = explain(f"no task is registered as {name!r}", name, registered())
    hint = ", or write it as `module:function`"
    if "." in name:
        hint = f", or did you mean `{name.rpartition('.')[0]}:{name.rpartition('.')[2]}`?"
    return f"{message}. Load the module that registers it: --import MODULE{hint}"


def tasks() -> list[tuple[str, Handler]]:
    """All registered tasks, each by the name that finds it (`module:qualname` where several share a name)."""
    found = dict(_named)
    for name, known in _unnamed.items():
        for handler in known:
            found[name if len(known) == 1 else importable_reference(handler) or name] = handler
    return sorted(found.items())

"""Importing the modules that hold tasks, from a definition's own folder first.

The danger is the mix-up: two folders, each with an `orders.py`, in one process. Python knows one module by that name,
and the second definition would silently run the first one's code. So where the folder has a file of that name, what is
found must lie in the folder; if it does not, the folder's own file is loaded under a name that says where it is from.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from mainspring.errors import HandlerNotFound

_lock = threading.RLock()


def load_module(name: str, folder: str) -> ModuleType:
    """The module `name` as a definition in `folder` means it. Raises HandlerNotFound."""
    home = Path(folder).resolve()
    own = _own_file(name, home)
    with _lock:
        if own is None:
            return sys.modules.get(name) or _import(name, home)
        known = sys.modules.get(name.partition(".")[0])
        if known is None:
            _put_first(home)
            return _import(name, home)
        if _lies_in(known, home):
            return sys.modules.get(name) or _import(name, home)
        return _load_beside(name, own, home, known)


def load_script(path: str, folder: str) -> ModuleType:
    """The module that a script's path means: the program that runs, where it is that script, else the file, loaded."""
    file = (Path(folder) / path).resolve()
    for name in ("__main__", file.stem):
        known = sys.modules.get(name)
        if known is not None and _file_of(known) == file:
            return known
    if not file.is_file():
        raise HandlerNotFound(f"there is no script {file}")
    with _lock:
        return _load_file(file)


def walk(module: ModuleType, qualname: str, reference: str) -> Callable[..., Any]:
    """What stands under `qualname` in a module. Raises HandlerNotFound."""
    found: Any = module
    for part in qualname.split("."):
        if not hasattr(found, part):
            place = getattr(module, "__file__", None) or module.__name__
            message = explain(f"{place} has no {qualname!r} (looked for {reference!r})", part, _callables(found))
            raise HandlerNotFound(message)
        found = getattr(found, part)
    if not callable(found):
        raise HandlerNotFound(f"{reference!r} is no function: it is {type(found).__name__}")
    handler: Callable[..., Any] = found
    return handler


def explain(message: str, wanted: str, known: Iterable[str]) -> str:
    """A message with what was perhaps meant."""
    import difflib

    names = list(known)
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    if close:
        return f"{message}; did you mean {' or '.join(f'`{name}`' for name in close)}?"
    if names:
        shown = ", ".join(f"`{name}`" for name in names[:8])
        return f"{message}; there is {shown}{' …' if len(names) > 8 else ''}"
    return message


def _callables(owner: Any) -> list[str]:
    """The callables that a module (or class) defines itself; what it imports was hardly meant."""
    name = getattr(owner, "__name__", None)
    return [
        key
        for key, value in vars(owner).items()
        if callable(value)
        and not key.startswith("_")
        and (not isinstance(owner, ModuleType) or getattr(value, "__module__", None) == name)
    ]


def _own_file(name: str, home: Path) -> Path | None:
    base = home.joinpath(*name.split("."))
    top = home / name.partition(".")[0]
    for file in (base.with_name(base.name + ".py"), base / "__init__.py", top / "__init__.py"):
        if file.is_file():
            return file
    return None


def _put_first(home: Path) -> None:
    """Make a folder importable, before all others: another definition's folder may have a module of the same name."""
    place = str(home)
    if sys.path[:1] != [place]:
        if place in sys.path:
            sys.path.remove(place)
        sys.path.insert(0, place)
        importlib.invalidate_caches()


def _import(name: str, home: Path) -> ModuleType:
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            raise HandlerNotFound(_no_module(name, home)) from error
        raise HandlerNotFound(f"module {name!r} cannot be loaded: it imports {missing!r}, which is not here") from error
    except Exception as error:
        raise HandlerNotFound(_failed(name, error)) from error


def _no_module(name: str, home: Path) -> str:
    files = [file.stem for file in home.glob("*.py")] if home.is_dir() else []
    message = explain(f"there is no module {name!r} in {home}, nor among the installed ones", name, files)
    stop = "" if message.endswith("?") else "."
    return f"{message}{stop} Put it beside the definition, install it, or load it with --import MODULE"


def _failed(name: str, error: BaseException) -> str:
    where = ""
    # A syntax error says itself where it is; its traceback is that of the import.
    trace = None if isinstance(error, SyntaxError) else error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file != __file__:
            where = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"module {name!r} cannot be loaded: {type(error).__name__}: {error}{where}"


def _lies_in(module: ModuleType, home: Path) -> bool:
    places = [module.__file__] if getattr(module, "__file__", None) else list(getattr(module, "__path__", ()))
    return any(Path(place).resolve().is_relative_to(home) for place in places if place)


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _load_beside(name: str, own: Path, home: Path, known: ModuleType) -> ModuleType:
    """Load a folder's own module although another of its name is loaded."""
    if "." in name or own.name == "__init__.py":
        # A package's parts import each other by name: they cannot be told apart from the other package's.
        place = getattr(known, "__file__", None) or known.__name__
        raise HandlerNotFound(
            f"{name!r} is meant to be {own}, but this process has loaded {place} under that name. "
            f"Rename one of the two packages, or run the definitions in processes of their own"
        )
    module = _load_file(own)
    stranger = _stranger(module, home)
    if stranger is not None:
        del sys.modules[module.__name__]
        raise HandlerNotFound(
            f"{own} imports {stranger.__name__!r}, which lies beside it, but this process has loaded "
            f"{stranger.__file__} under that name. Rename one of the two, or use processes of their own"
        )
    return module


def _stranger(module: ModuleType, home: Path) -> ModuleType | None:
    """A module from elsewhere which this one took for its neighbour in the folder."""
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        known = sys.modules.get(name) if isinstance(name, str) else None
        if known is not None and known is not module and _own_file(known.__name__, home) and not _lies_in(known, home):
            return known
    return None


def _load_file(file: Path) -> ModuleType:
    name = f"{file.stem} of {file.parent}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise HandlerNotFound(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise HandlerNotFound(_failed(str(file), error)) from error
    return module

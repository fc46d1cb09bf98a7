"""Python written into the definition: `config: {code: …}` of a function node.

Code comes in one of two forms.

It may define a function `main`, plain or async: that is the node's function, with everything that a function of a module
has (typed parameters, defaults, a TaskContext by annotation). What stands around it runs once, when the code is loaded.

Else it is the body of a function. It ends with `return`; with an `await` of its own it is async. The names that it uses but
does not define are its parameters, and come from the input by name: `return {"total": price * quantity}` takes `price` and
`quantity`. Three names are there besides: `input` (all of it), `variables` and `ctx` (the TaskContext). Python's builtins
stay what they are, whatever the input has: a key called `id` is `input["id"]`.

The code is compiled once and runs in this process (or, with `process: true`, in a worker) with all that this process may
do: it is trusted like the rest of the definition's code. There is no sandbox.
"""

from __future__ import annotations

import ast
import builtins
import dis
import hashlib
import linecache
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from types import CodeType, ModuleType
from typing import Any

from mainspring.errors import HandlerNotFound, MainspringError
from mainspring.tasks.annotations import BY_NAME
from mainspring.tasks.context import TaskContext

CODE_BYTES_MAX = 256 * 1024
MAIN = "main"
GIVEN = ("input", "variables", "ctx")
"""Names that a body may use without the input having them."""

_BUILTINS = frozenset(dir(builtins)) - {"input"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_lock = threading.RLock()


class CodeFault(MainspringError):
    """Code that cannot be compiled. `line` and `column` count from 1 within the code."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line = line
        self.column = column
        place = f"line {line} of the code: " if line else ""
        super().__init__(f"{place}{message}")


def compiled(code: str) -> Callable[..., Any]:
    """The function that the code means. The same text gives the same function. Raises CodeFault, HandlerNotFound."""
    if len(code.encode("utf-8", "replace")) > CODE_BYTES_MAX:
        raise CodeFault(f"the code has more bytes than code_bytes_max, {CODE_BYTES_MAX}: put it into a module")
    name = f"mainspring_code_{hashlib.sha256(code.encode('utf-8', 'replace')).hexdigest()[:12]}"
    with _lock:
        known = sys.modules.get(name)
        if known is None:
            known = _load(code, name)
        function: Callable[..., Any] = getattr(known, MAIN)
        return function


def shadowed(code: str, keys: Iterable[str]) -> list[str]:
    """Keys of an input that a body cannot see by their name, because it uses a builtin of that name."""
    try:
        tree = _parsed(code, "<code>")
    except CodeFault:
        return []
    if _main_of(tree) is not None:
        return []
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return [key for key in keys if key in used and key in _BUILTINS]


def _load(code: str, name: str) -> ModuleType:
    place = f"<code {name.rpartition('_')[2]}>"
    tree = _parsed(code, place)
    module = ModuleType(name)
    module.__file__ = None
    is_body = _main_of(tree) is None
    if is_body:
        tree = _as_function(tree, place)
        vars(module)["TaskContext"] = TaskContext
    program = _compiled(tree, place)
    # A traceback shows the code's own lines; and classes that it defines are looked up by their module.
    linecache.cache[place] = (len(code), None, code.splitlines(keepends=True), place)
    sys.modules[name] = module
    try:
        exec(program, vars(module))
    except ImportError as error:
        del sys.modules[name]
        raise HandlerNotFound(f"the code cannot be loaded: {error}") from error
    except BaseException as error:
        del sys.modules[name]
        raise CodeFault(f"{type(error).__name__}: {error}", _line_in(error, place)) from error
    function = getattr(module, MAIN)
    if is_body and function.__code__.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
        del sys.modules[name]
        raise CodeFault("the code yields; the output is what it returns")
    if is_body:
        function.__qualname__ = "the code"  # as messages call it
        setattr(function, BY_NAME, True)
    elif not callable(function):
        del sys.modules[name]
        raise CodeFault(f"`{MAIN}` is no function: it is {type(function).__name__}")
    return module


def _parsed(code: str, place: str) -> ast.Module:
    try:
        return ast.parse(code, place)
    except SyntaxError as error:
        raise CodeFault(error.msg or "invalid syntax", error.lineno, error.offset) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise CodeFault(str(error) or type(error).__name__) from None


def _compiled(tree: ast.Module, place: str) -> CodeType:
    try:
        return compile(tree, place, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise CodeFault(error.msg or "invalid syntax", error.lineno, error.offset) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise CodeFault(str(error) or type(error).__name__) from None


def _main_of(tree: ast.Module) -> _Function | None:
    return next((each for each in tree.body if isinstance(each, _Function) and each.name == MAIN), None)


def _as_function(tree: ast.Module, place: str) -> ast.Module:
    """The body within `def main(<the names it needs>)`, each statement where it stands in the text."""
    needed = _needed(tree.body, place)
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    for name in needed:
        if name not in GIVEN:
            arguments.kwonlyargs.append(ast.arg(name))
            arguments.kw_defaults.append(None)
    before: list[ast.stmt] = []
    if set(GIVEN) & set(needed):
        arguments.kwonlyargs.append(ast.arg("ctx", ast.Name("TaskContext", ast.Load())))
        arguments.kw_defaults.append(None)
        if "input" in needed:
            before += ast.parse("input = ctx.input").body
        if "variables" in needed:
            before += ast.parse("variables = ctx.variables").body
    body = [*before, *tree.body] or [ast.Pass()]
    return _wrapped(body, arguments)


def _wrapped(body: list[ast.stmt], arguments: ast.arguments) -> ast.Module:
    kind = ast.AsyncFunctionDef if any(_awaits(each) for each in body) else ast.FunctionDef
    return ast.fix_missing_locations(ast.Module([kind(MAIN, arguments, body, [], lineno=1, col_offset=0)], []))


def _awaits(node: ast.AST) -> bool:
    """Whether it waits itself (what is defined in it may wait as it likes)."""
    if isinstance(node, _SCOPES):
        return False
    if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) or bool(getattr(node, "is_async", False)):
        return True
    return any(_awaits(each) for each in ast.iter_child_nodes(node))


def _needed(body: list[ast.stmt], place: str) -> list[str]:
    """The names that a body uses and nothing in it defines, in alphabetical order."""
    bare = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    program = _compiled(_wrapped(body or [ast.Pass()], bare), place)
    function = next(each for each in program.co_consts if isinstance(each, CodeType))
    free, defined = _globals_of(function)
    needed = free - defined - _BUILTINS
    # A name that is read before it is set, as in `amount = amount * 2`, is read from the input.
    seen: dict[str, bool] = {}
    for statement in body:
        for name, is_read in _events(statement):
            seen.setdefault(name, is_read)
    own = {*function.co_varnames, *function.co_cellvars}
    return sorted(needed | {name for name, is_read in seen.items() if is_read and name in own} - _BUILTINS)


def _globals_of(code: CodeType) -> tuple[set[str], set[str]]:
    """The names that a function and all within it read from its module, and those that they set there."""
    read, written, own = set(), set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            read.add(step.argval)
        elif step.opname == "STORE_GLOBAL":
            written.add(step.argval)
        elif step.opname == "STORE_NAME":  # a class's own
            own.add(step.argval)
    read -= own | {"__name__", "__qualname__"}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            inner_read, inner_written = _globals_of(inner)
            read |= inner_read
            written |= inner_written
    return read, written


def _events(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The names that a statement reads (True) and sets (False), in the order in which it does."""
    if isinstance(node, ast.Name):
        yield node.id, not isinstance(node.ctx, ast.Store)
    elif isinstance(node, _SCOPES):
        if not isinstance(node, ast.Lambda):
            yield node.name, False
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        yield from _events(node.generators[0].iter)
    elif isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Name):
            yield node.target.id, True
        yield from _events(node.value)
        yield from _events(node.target)
    else:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (((each.asname or each.name).partition(".")[0], False) for each in node.names)
        if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, False
        for each in _in_order(node):
            yield from _events(each)


def _in_order(node: ast.AST) -> list[ast.AST]:
    """A node's parts as they are evaluated: what is assigned comes after its value."""
    parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For | ast.AsyncFor):
        first = node.iter if isinstance(node, ast.For | ast.AsyncFor) else node.value
        if first is not None:
            parts.remove(first)
            parts.insert(0, first)
    return parts


def _line_in(error: BaseException, place: str) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == place:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

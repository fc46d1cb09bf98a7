"""Templates: any JSON value in whose strings `${ expression }` stands for what it computes.

A string that is one `${ ... }` and nothing else gives the value itself; in any other the values are written into the
text. `$${` is a literal `${`. What holds no expression is kept as it is, and is shared by all results.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.errors import ExpressionError
from mainspring.expression.compiled import Expression, compile_expression
from mainspring.expression.functions import to_text
from mainspring.expression.steps import Place
from mainspring.expression.values import text_length_max

template_depth_max = 100

_part = re.compile(r"\$?\$\{")
_inner = re.compile(r"""(?:[^"'}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*+""", re.DOTALL)

Run = Callable[[Any], Any]
Computed = list[tuple[str, Run, list[Expression]]]
"""The strings of a template that hold expressions: the path of each, what computes it, its expressions."""


class Template:
    """A compiled template. Where `constant`, calling it gives the same value always.

    A fault says by its `path` which string of the template it lies in.
    """

    __slots__ = ("_computed", "_run", "constant", "references", "roots")

    def __init__(self, run: Run, computed: Computed, constant: bool) -> None:
        self._run = run
        self._computed = tuple(computed)
        self.constant = constant
        expressions = [expression for _, _, own in computed for expression in own]
        self.roots = frozenset[str]().union(*(expression.roots for expression in expressions))
        self.references = tuple(name for expression in expressions for name, _ in expression.references)

    def __call__(self, scope: Any) -> Any:
        return self.evaluate(scope)

    def evaluate(self, scope: Any) -> Any:
        """The value in this scope. Raises ExpressionError."""
        try:
            return self._run(scope)
        except ExpressionError as error:
            error.path = self._place_of_fault(scope)
            raise

    def _place_of_fault(self, scope: Any) -> str:
        """Evaluating is pure, so the string at fault is found by asking each again: all is well, nearly always."""
        for path, run, _ in self._computed:
            try:
                run(scope)
            except ExpressionError:
                return path
        return ""


def compile_template(value: Any) -> Template:
    """Compile all strings within `value`. A fault's text is the whole string, its position lies in that."""
    computed: Computed = []
    run, constant = _compile(value, computed, 0, "")
    return Template(run, computed, constant)


def template_parts(text: str) -> list[str | tuple[int, Expression]]:
    """The literal pieces of `text` and its expressions, each of those with the place of its text."""
    parts: list[str | tuple[int, Expression]] = []
    at = 0
    while match := _part.search(text, at):
        if match.start() > at:
            parts.append(text[at : match.start()])
        if match.group() == "$${":
            parts.append("${")
            at = match.end()
            continue
        at = _closing(text, match)
        parts.append((match.end(), _expression(text, match.end(), at)))
        at += 1
    if at < len(text):
        parts.append(text[at:])
    return parts


def _closing(text: str, opening: re.Match[str]) -> int:
    """Where the `}` is that ends an expression: the first one outside its strings."""
    match = _inner.match(text, opening.end())
    end = match.end() if match else len(text)
    if end >= len(text) or text[end] != "}":
        what = "a string within it is never closed" if end < len(text) else "its `}` is missing"
        raise ExpressionError(f"this `${{` is never closed: {what}", text, opening.start())
    return end


def _expression(text: str, start: int, end: int) -> Expression:
    try:
        return compile_expression(text[start:end])
    except ExpressionError as error:
        position = None if error.position is None else error.position + start
        raise ExpressionError(error.message, text, position) from None


def _compile(value: Any, computed: Computed, depth: int, path: str) -> tuple[Run, bool]:
    if depth > template_depth_max:
        raise ExpressionError(f"the template is nested deeper than template_depth_max, {template_depth_max}")
    if isinstance(value, str):
        return _compile_text(value, computed, path)
    if isinstance(value, Mapping):
        return _compile_object(value, computed, depth, path)
    if isinstance(value, list | tuple):
        items = [_compile(item, computed, depth + 1, f"{path}[{index}]") for index, item in enumerate(value)]
        runs = tuple(run for run, _ in items)
        if all(constant for _, constant in items):
            return _always([run(None) for run in runs])
        return (lambda scope: [run(scope) for run in runs]), False
    return _always(value)


def _compile_object(value: Mapping[Any, Any], computed: Computed, depth: int, path: str) -> tuple[Run, bool]:
    dot = "." if path else ""
    fields = [(key, *_compile(item, computed, depth + 1, f"{path}{dot}{key}")) for key, item in value.items()]
    if all(constant for _, _, constant in fields):
        return _always({key: run(None) for key, run, _ in fields})
    if not any(constant for _, _, constant in fields):
        pairs = tuple((key, run) for key, run, _ in fields)
        return (lambda scope: {key: run(scope) for key, run in pairs}), False
    given = {key: run(None) if constant else None for key, run, constant in fields}
    rest = tuple((key, run) for key, run, constant in fields if not constant)

    def run_rest(scope: Any) -> dict[Any, Any]:
        made = given.copy()
        for key, run in rest:
            made[key] = run(scope)
        return made

    return run_rest, False


def _compile_text(text: str, computed: Computed, path: str) -> tuple[Run, bool]:
    if "${" not in text:
        return _always(text)
    try:
        parts = template_parts(text)
    except ExpressionError as error:
        error.path = path
        raise
    own = [part[1] for part in parts if not isinstance(part, str)]
    if not own:
        return _always("".join(part for part in parts if isinstance(part, str)))
    run = own[0].run if len(parts) == 1 else _interpolate(text, parts)
    computed.append((path, run, own))
    return run, False


def _interpolate(text: str, parts: list[str | tuple[int, Expression]]) -> Run:
    pieces = tuple(
        (part, None, None) if isinstance(part, str) else ("", part[1].run, Place(text, part[0])) for part in parts
    )

    def run(scope: Any) -> str:
        written: list[str] = []
        length = 0
        for literal, compute, place in pieces:
            piece = literal if compute is None or place is None else to_text(compute(scope), place)
            length += len(piece)
            if length > text_length_max:
                raise ExpressionError(
                    f"the string would be longer than text_length_max, {text_length_max} characters", text
                )
            written.append(piece)
        return "".join(written)

    return run


def _always(value: Any) -> tuple[Run, bool]:
    return (lambda scope: value), True

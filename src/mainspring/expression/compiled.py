"""What the rest of mainspring sees of an expression: compiled once per text, called with a scope."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mainspring.expression.parser import Parser


class Expression:
    """A compiled expression. `scope` is anything whose `get(root)` gives the root's value or None.

    `roots` are the names it starts from; `references` are the nodes it names by a constant (`nodes.charge`), each with
    its position in the text. `run` is the bare closure, for the hot path.
    """

    __slots__ = ("references", "roots", "run", "text")

    def __init__(self, text: str) -> None:
        parser = Parser(text)
        self.run = parser.parse().run
        self.text = text
        self.roots = frozenset(parser.roots)
        self.references = tuple(parser.references)

    def __call__(self, scope: Any) -> Any:
        return self.run(scope)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


@lru_cache(maxsize=8192)
def compile_expression(text: str) -> Expression:
    """Compile `text`, or raise an ExpressionError that points at the guilty token."""
    return Expression(text)

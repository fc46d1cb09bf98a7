"""What the rest of mainspring sees of an expression: compiled once per text, called with a scope."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mainspring.errors import ExpressionError
from mainspring.expression.parser import Parser


class Expression:
    """A compiled expression. `scope` is anything whose `get(root)` gives the root's value or None.

    `roots` are the names it starts from, `fields` what it looks at in each (None: perhaps all of it); `references` are
    the nodes it names by a constant (`nodes.charge`), each with its position in the text. `warnings` are strings where a
    truth is wanted, each with its position; `as_condition` has those too that hold only where the whole is a condition.
    `run` is the bare closure, for the hot path.
    """

    __slots__ = ("as_condition", "fields", "references", "roots", "run", "text", "warnings")

    def __init__(self, text: str) -> None:
        parser = Parser(text)
        try:
            code = parser.parse()
        except RecursionError:
            # The depth is bounded; it is the caller who is near the bottom of the stack.
            raise ExpressionError("the expression is nested deeper than the stack that is left", text, 0) from None
        self.run = code.run
        self.warnings = tuple(parser.warnings)
        parser.truth(code, parser.tokens[0])
        self.as_condition = tuple(parser.warnings)
        self.text = text
        self.roots = frozenset(parser.roots)
        self.references = tuple(parser.references)
        self.fields = {root: None if names is None else frozenset(names) for root, names in parser.fields.items()}

    def __call__(self, scope: Any) -> Any:
        return self.run(scope)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


@lru_cache(maxsize=8192)
def compile_expression(text: str) -> Expression:
    """Compile `text`, or raise an ExpressionError that points at the guilty token."""
    return Expression(text)

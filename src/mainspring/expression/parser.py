"""Pratt parser: tokens straight to closures.

Chains of `&&`, `||`, `+ -`, `* / %`, of member accesses and of signs are read in loops and run in loops, so that only
true nesting costs depth; and that is bounded, at compile time, for the parser and the closures alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from mainspring.errors import ExpressionError
from mainspring.expression import closures
from mainspring.expression.closures import Code
from mainspring.expression.functions import functions
from mainspring.expression.steps import Place, metered
from mainspring.expression.tokens import Token, tokenize
from mainspring.expression.values import integer_max

depth_max = 100
nodes_max = 2_000

roots = frozenset(
    (
        "output",
        "input",
        "variables",
        "nodes",
        "error",
        "workflow",
        "item",
        "index",
        "value",
        "loop",
        "context",
        "compensation",
        "status",
    )
)
_constants = {"true": True, "false": False, "null": None}
_spellings = {"===": "==", "!==": "!="}
_words = {"and": "&&", "or": "||", "not": "!", "None": "null", "True": "true", "False": "false", "is": "=="}

# Each binary operator: how tightly it binds. `?:` is below all of them.
_ternary = 1
_binding = {
    **dict.fromkeys(("||",), 2),
    **dict.fromkeys(("&&",), 3),
    **dict.fromkeys(("==", "!="), 4),
    **dict.fromkeys(("<", "<=", ">", ">=", "in"), 5),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("*", "/", "%"), 7),
}


class Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0
        self.depth = 0
        self.nodes = 0
        self.roots: set[str] = set()
        self.fields: dict[str, set[str] | None] = {}
        self.references: list[tuple[str, int]] = []
        self.warnings: list[tuple[str, int]] = []
        self.linear = False

    def parse(self) -> Code:
        if self.tokens[0].kind == "end":
            self.fail("the expression is empty", self.tokens[0])
        code = self.expression(0)
        token = self.peek()
        if token.kind != "end":
            self.fail(f"unexpected {_named(token)}{self.meant(token)}", token)
        if self.linear and not code.constant:
            code.run = metered(code.run)
        return code

    # -- reading tokens

    def peek(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def sees(self, symbol: str) -> bool:
        token = self.tokens[self.at]
        return token.kind == "op" and token.value == symbol

    def expect(self, symbol: str, opened: Token) -> None:
        token = self.peek()
        if not self.sees(symbol):
            what = f"expected `{symbol}` to close the `{opened.value}` at {opened.position + 1}"
            self.fail(f"{what}, found {_named(token)}{self.meant(token)}", token)
        self.at += 1

    def fail(self, message: str, token: Token) -> NoReturn:
        raise ExpressionError(message, self.text, token.position)

    def meant(self, token: Token) -> str:
        if token.kind == "name" and token.value in _words:
            return f"; did you mean `{_words[token.value]}`?"
        return ""

    def count(self, token: Token) -> None:
        self.nodes += 1
        if self.nodes > nodes_max:
            self.fail(f"the expression has more parts than nodes_max, {nodes_max}", token)

    def place(self, token: Token) -> Place:
        return Place(self.text, token.position)

    # -- grammar

    def expression(self, least: int) -> Code:
        """All operators that bind at least as tightly as `least`."""
        self.depth += 1
        if self.depth > depth_max:
            self.fail(f"the expression is nested deeper than depth_max, {depth_max}", self.peek())
        start = self.peek()
        left = self.prefix()
        while True:
            token = self.peek()
            symbol = self.operator(token)
            binding = _binding.get(symbol, 0)
            if symbol == "?" and least <= _ternary:
                self.truth(left, start)
                left = self.choice(left)
            elif symbol in ("&&", "||") and binding >= least:
                self.truth(left, start)
                left = self.logical(left, symbol, binding)
            elif binding and binding >= least:
                left = self.binary(left, symbol, binding)
            else:
                self.depth -= 1
                return left

    def operator(self, token: Token) -> str:
        if token.kind == "op" or (token.kind == "name" and token.value == "in"):
            return str(_spellings.get(token.value, token.value))
        return ""

    def truth(self, code: Code, start: Token) -> None:
        """Warn of a string where a truth is wanted (SEMANTICS 37). `start` is where it begins."""
        if code.constant and type(code.value) is str and code.value:
            word = code.value.lower()
            hint = f"; did you mean `{word}`, without quotes?" if word in ("0", *_constants) else ""
            message = f"the string {code.value[:30]!r} is true, as all but the empty one are{hint}"
            self.warnings.append((message, start.position))

    def logical(self, left: Code, symbol: str, binding: int) -> Code:
        parts = [left]
        while self.operator(self.peek()) == symbol:
            self.count(self.take())
            start = self.peek()
            parts.append(self.expression(binding + 1))
            self.truth(parts[-1], start)
        return closures.all_of(parts) if symbol == "&&" else closures.any_of(parts)

    def binary(self, left: Code, symbol: str, binding: int) -> Code:
        if binding >= _binding["+"]:
            return self.arithmetic(left, binding)
        token = self.take()
        self.count(token)
        right = self.expression(binding + 1)
        following = self.peek()
        if _binding.get(self.operator(following)) == binding:
            self.fail("comparisons cannot be chained; join them with `&&`", following)
        self.linear |= not right.constant and (symbol == "in" or (not left.constant and symbol in ("==", "!=")))
        if symbol == "in":
            return closures.within(left, right, self.place(token))
        return closures.compare(symbol, left, right, self.place(token))

    def arithmetic(self, left: Code, binding: int) -> Code:
        rest: list[tuple[str, Code, Place]] = []
        while _binding.get(self.operator(self.peek())) == binding:
            token = self.take()
            self.count(token)
            rest.append((token.value, self.expression(binding + 1), self.place(token)))
        return closures.fold(left, rest)

    def choice(self, test: Code) -> Code:
        token = self.take()
        self.count(token)
        then = self.expression(_ternary)
        self.expect(":", token)
        return closures.choice(test, then, self.expression(_ternary))

    def prefix(self) -> Code:
        """Signs, then an operand. The signs are read in a loop but run nested: they count as depth."""
        signs: list[Token] = []
        while self.sees("!") or self.sees("-"):
            signs.append(self.take())
            self.count(signs[-1])
        if self.depth + len(signs) > depth_max:
            self.fail(f"the expression is nested deeper than depth_max, {depth_max}", signs[-1])
        first = self.peek()
        code = self.postfix(self.operand())
        signed = bool(signs) and signs[-1].value == "-"
        if code.constant and type(code.value) is int and code.value > integer_max and not signed:
            self.fail(f"the integer {code.value} does not fit 64 bits", first)
        for sign in reversed(signs):
            if sign.value == "!":
                self.truth(code, first)
            code = closures.negation(code) if sign.value == "!" else closures.minus(code, self.place(sign))
        return code

    def operand(self) -> Code:
        token = self.take()
        self.count(token)
        if token.kind in ("number", "text"):
            return closures.constant(token.value)
        if token.kind == "name":
            return self.named(token)
        if token.value == "$" and token.kind == "op":
            return self.rooted("input", token)
        if token.value == "(" and token.kind == "op":
            code = self.expression(0)
            self.expect(")", token)
            return code
        if token.value == "[" and token.kind == "op":
            code = closures.listing(self.items(token, "]"), self.place(token))
            self.linear |= not code.constant
            return code
        where = "the expression ends where a value is expected"
        return self.fail(where if token.kind == "end" else f"expected a value, found {_named(token)}", token)

    def items(self, opened: Token, closing: str) -> list[Code]:
        items: list[Code] = []
        while not self.sees(closing):
            items.append(self.expression(0))
            if not self.sees(","):
                break
            self.take()
        self.expect(closing, opened)
        return items

    def named(self, token: Token) -> Code:
        if token.value in _constants:
            return closures.constant(_constants[token.value])
        if self.sees("("):
            return self.call(token)
        if token.value not in roots:
            self.fail(f"unknown name `{token.value}`{self.unknown(token)}", token)
        return self.rooted(token.value, token)

    def unknown(self, token: Token) -> str:
        """What an unknown name may have been meant for."""
        if meant := self.meant(token):
            return meant
        before = self.tokens[self.at - 2] if self.at >= 2 else None
        if before is not None and before.value == "-" and before.position == token.position - 1:
            return '; a name with `-` is written in brackets, as in nodes["raise-alarm"]'
        close = _close(token.value, roots)
        if close:
            return f"; did you mean `{close[0]}`?"
        return f"; an expression starts from one of {', '.join(sorted(roots))}"

    def call(self, name: Token) -> Code:
        function = functions.get(name.value)
        if function is None:
            close = _close(name.value, functions)
            hint = f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(sorted(functions))}"
            self.fail(f"unknown function `{name.value}`{hint}", name)
        arguments = self.items(self.take(), ")")
        least, most = function.least, function.most
        if len(arguments) < least or (most is not None and len(arguments) > most):
            wanted = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            self.fail(f"`{name.value}` takes {wanted} argument(s), not {len(arguments)}", name)
        self.linear = True
        return closures.call(function, arguments, self.place(name))

    def rooted(self, root: str, token: Token) -> Code:
        """A root and the constant keys after it, as one path; computed keys are left to `postfix`."""
        self.roots.add(root)
        keys: list[str | int] = []
        while (key := self.constant_key()) is not None:
            if root == "nodes" and not keys and isinstance(key, str):
                last = self.tokens[self.at - 1]
                self.references.append((key, (self.tokens[self.at - 2] if last.value == "]" else last).position))
            keys.append(key)
        named = self.fields.setdefault(root, set())
        if not keys or not isinstance(keys[0], str):
            self.fields[root] = None
        elif named is not None:
            named.add(keys[0])
        return closures.path(root, tuple(keys))

    def constant_key(self) -> str | int | None:
        if self.sees("."):
            return self.member_name()
        following = self.tokens[self.at : self.at + 3]
        if not self.sees("[") or len(following) < 3 or following[1].kind not in ("text", "number"):
            return None
        key, closing = following[1], following[2]
        if closing.value != "]" or closing.kind != "op" or isinstance(key.value, float):
            return None
        self.count(key)
        self.at += 3
        return key.value  # type: ignore[no-any-return]

    def member_name(self) -> str:
        self.take()
        token = self.take()
        self.count(token)
        if token.kind != "name":
            self.fail(f"expected a name after `.`, found {_named(token)}", token)
        return str(token.value)

    def postfix(self, base: Code) -> Code:
        keys: list[Code] = []
        while True:
            if self.sees("."):
                keys.append(closures.constant(self.member_name()))
            elif self.sees("["):
                opened = self.take()
                keys.append(self.expression(0))
                self.expect("]", opened)
            else:
                return closures.steps(base, keys) if keys else base


def _named(token: Token) -> str:
    if token.kind == "end":
        return "the end of the expression"
    if token.kind == "text":
        return "a string"
    return f"`{str(token.value)[:30]}`"


def _close(word: str, known: Iterable[str]) -> list[str]:
    # Imported here: no expression that is right pays for it.
    from difflib import get_close_matches

    return get_close_matches(word[:100], sorted(known), 1, 0.6)

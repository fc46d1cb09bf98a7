"""Random expressions as trees, random data for them, and how a tree may be written as text."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.expression.naive import FUNCTIONS

ROOTS = ("input", "output", "variables", "nodes", "error")
NAMES = ("a", "b", "in", "x-y", "é", "0", "__class__")
PLAIN = ("a", "b", "in", "é", "__class__")
SCALARS = (
    *(None, True, False, 0, 1, 2, 3, 7, 10, 2**31, 2**63 - 1, 0.5, 1.0, 2.5, 1e16, 1.5e308, 1e-7, 2.675),
    *(
        "",
        "a",
        "b",
        "ab",
        "12",
        "1.0",
        "1e2",
        "007",
        " 1",
        "-3",
        "true",
        "false",
        "null",
        "é😀",
        "it's",
        'q"\\\n',
        "1e999",
        "-",
    ),
)
NUMBERS = tuple(one for one in SCALARS if type(one) in (int, float))
ARITIES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(FUNCTIONS, (1, 1)),
    **dict.fromkeys(("contains", "startsWith", "endsWith", "indexOf"), (2, 2)),
    **dict.fromkeys(("min", "max", "default"), (1, 4)),
    "round": (1, 2),
}

# How tightly each kind of tree binds, as the reference says: a part that binds less tightly needs parentheses.
LEVELS = {
    "?": 1,
    "||": 2,
    "&&": 3,
    "==": 4,
    "!=": 4,
    **dict.fromkeys(("<", "<=", ">", ">=", "in"), 5),
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "%": 7,
    "not": 8,
    "minus": 8,
}
ATOM = 9


def data(chance: random.Random, depth: int = 0) -> Any:
    """A random JSON value, mostly shallow."""
    form = chance.random()
    if depth < 3 and form < 0.2:
        return [data(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth < 3 and form < 0.5:
        return {name: data(chance, depth + 1) for name in chance.sample(NAMES, chance.randrange(4))}
    value = chance.choice(SCALARS)
    return -value if type(value) in (int, float) and form > 0.9 else value


def scope(chance: random.Random) -> dict[str, Any]:
    return {root: data(chance) for root in ROOTS if chance.random() < 0.9}


def tree(chance: random.Random, depth: int = 0) -> Any:
    """A random expression. Where an operator wants numbers it gets some more often than not, or all would be faults."""
    form = chance.random()
    if depth > 4 or form < 0.15:
        return ("value", chance.choice(SCALARS))
    if form < 0.35:
        return path(chance, depth)
    if form < 0.5:
        return (chance.choice(("&&", "||")), tree(chance, depth + 1), tree(chance, depth + 1))
    if form < 0.65:
        return (
            chance.choice(("==", "!=", "<", "<=", ">", ">=", "in")),
            tree(chance, depth + 1),
            tree(chance, depth + 1),
        )
    if form < 0.77:
        return (chance.choice("+-*/%"), numeric(chance, depth + 1), numeric(chance, depth + 1))
    if form < 0.83:
        return (chance.choice(("not", "minus")), tree(chance, depth + 1))
    if form < 0.87:
        return ("?", *(tree(chance, depth + 1) for _ in range(3)))
    if form < 0.91:
        return ("list", [tree(chance, depth + 2) for _ in range(chance.randrange(4))])
    name = chance.choice(tuple(ARITIES))
    least, most = ARITIES[name]
    return ("call", name, [tree(chance, depth + 1) for _ in range(chance.randint(least, most))])


def numeric(chance: random.Random, depth: int) -> Any:
    if chance.random() < 0.2:
        return tree(chance, depth)
    if depth > 4 or chance.random() < 0.6:
        return ("value", chance.choice(NUMBERS))
    if chance.random() < 0.3:
        return ("call", chance.choice(("abs", "round", "floor", "ceil", "len", "number")), [numeric(chance, depth + 1)])
    return (chance.choice("+-*/%"), numeric(chance, depth + 1), numeric(chance, depth + 1))


def path(chance: random.Random, depth: int) -> Any:
    base: Any = ("root", chance.choice(ROOTS)) if chance.random() < 0.9 else tree(chance, depth + 2)
    for _ in range(chance.randrange(4)):
        key: Any = chance.choice((*NAMES, *NAMES, 0, 1, 2, 1.0))
        base = ("member", base, ("value", key) if chance.random() < 0.9 else tree(chance, depth + 2))
    return base


def text(chance: random.Random, tree: Any) -> str:
    """One of the many ways to write `tree`."""
    kind, *parts = tree
    space = chance.choice(("", " ", " ", "  ", "\n"))
    if kind == "value":
        return literal(chance, parts[0])
    if kind == "root":
        return "$" if parts[0] == "input" and chance.random() < 0.3 else str(parts[0])
    if kind == "member":
        return part(chance, parts[0], ATOM) + key(chance, parts[1])
    if kind == "list":
        return "[" + f",{space}".join(text(chance, item) for item in parts[0]) + "]"
    if kind == "call":
        return f"{parts[0]}({space}" + f"{space},".join(text(chance, item) for item in parts[1]) + ")"
    if kind == "?":
        return f"{part(chance, parts[0], 2)} ?{space}{part(chance, parts[1], 1)} : {part(chance, parts[2], 1)}"
    level = LEVELS[kind]
    if kind in ("not", "minus"):
        return {"not": "!", "minus": "-"}[kind] + space + part(chance, parts[0], level)
    # Comparisons cannot be chained; all other operators read from left to right.
    left = part(chance, parts[0], level + 1 if level in (4, 5) else level)
    symbol = kind + "=" if kind in ("==", "!=") and chance.random() < 0.2 else kind
    around = space or " " if kind == "in" else space
    return f"{left}{around}{symbol}{around}{part(chance, parts[1], level + 1)}"


def part(chance: random.Random, tree: Any, least: int) -> str:
    """`tree` where something is wanted that binds at least as tightly as `least`."""
    level = LEVELS.get(tree[0], ATOM)
    # `1.a` would read as a number.
    bare = tree[0] == "value" and type(tree[1]) in (int, float) and least == ATOM
    written = text(chance, tree)
    return f"({written})" if level < least or bare or chance.random() < 0.1 else written


def key(chance: random.Random, tree: Any) -> str:
    if tree[0] == "value" and tree[1] in PLAIN and chance.random() < 0.7:
        return f".{tree[1]}"
    return f"[{text(chance, tree)}]"


def literal(chance: random.Random, value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    written = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.5:
        return "'" + written[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    return written

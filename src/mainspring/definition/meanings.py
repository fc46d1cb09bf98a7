"""What each field of the model means: the text that stands under it in the source. Read only for schema and reference."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise

from msgspec import Struct


@cache
def meanings(struct: type[Struct]) -> dict[str, str]:
    """The meaning of each field, by its attribute; empty where the source is not at hand."""
    try:
        tree = ast.parse(inspect.getsource(struct))
    except (OSError, TypeError):
        return {}
    found: dict[str, str] = {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for before, after in pairwise(body):
        match before, after:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
    return found


def meaning(struct: type[Struct]) -> str:
    """What the struct itself is."""
    return inspect.cleandoc(struct.__doc__ or "")

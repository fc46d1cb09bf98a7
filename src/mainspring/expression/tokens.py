"""Text to tokens. A token is (kind, value, position); kinds are "number", "text", "name", "op" and "end"."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mainspring.errors import ExpressionError

expression_length_max = 10_000


class Token(NamedTuple):
    kind: str
    value: Any
    position: int


_token = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>\d[\w.]*(?:(?<=[eE])[+-]\w*)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op>===|!==|==|!=|<=|>=|&&|\|\||[-<>!+*/%?:.,()\[\]$])""",
    re.VERBOSE | re.DOTALL,
)
_number = re.compile(r"(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_escape = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_escapes = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "/": "/", "'": "'", '"': '"'}
_meant = {"=": "==", "&": "&&", "|": "||", "<>": "!="}


def tokenize(text: str) -> list[Token]:
    """All tokens of `text`, with an "end" at the end."""
    if len(text) > expression_length_max:
        raise ExpressionError(
            f"the expression has {len(text)} characters; expression_length_max is {expression_length_max}", text, 0
        )
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _token.match(text, position)
        if match is None:
            raise _unreadable(text, position)
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind, _value(kind, match.group(), text, position), position))
        position = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _value(kind: str, raw: str, text: str, position: int) -> Any:
    if kind == "number":
        return _read_number(raw, text, position)
    if kind == "text":
        return _read_text(raw, text, position)
    return raw


def _read_number(raw: str, text: str, position: int) -> int | float:
    match = _number.fullmatch(raw)
    if match is None:
        raise ExpressionError(f"`{_short(raw)}` is not a number", text, position)
    if match.group(1) is None and match.group(2) is None:
        # 2**63 itself is let through for the sake of -2**63; the parser refuses it without the sign.
        if len(raw) > 19 or int(raw) > 1 << 63:
            raise ExpressionError(f"the integer {_short(raw)} does not fit 64 bits", text, position)
        return int(raw)
    number = float(raw)
    if number in (float("inf"), float("-inf")):
        raise ExpressionError(f"the number {_short(raw)} is too large", text, position)
    return number


def _read_text(raw: str, text: str, position: int) -> str:
    body = raw[1:-1]
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _escapes:
            raise ExpressionError(f"unknown escape `\\{code}` in a string", text, position + 1 + match.start())
        return _escapes[code]

    # JSON writes characters beyond the first plane as two \u escapes; half of such a pair is no character.
    pairs = _escape.sub(replace, body)
    try:
        return pairs.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ExpressionError("a string holds half of a \\u surrogate pair", text, position) from None


def _unreadable(text: str, position: int) -> ExpressionError:
    character = text[position]
    if character in "\"'":
        return ExpressionError("this string is never closed", text, position)
    meant = _meant.get(character)
    hint = f"; did you mean `{meant}`?" if meant else ""
    return ExpressionError(f"unexpected character {character!r}{hint}", text, position)


def _short(raw: str) -> str:
    return raw if len(raw) <= 30 else raw[:27] + "..."

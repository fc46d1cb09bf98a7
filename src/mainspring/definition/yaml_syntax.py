"""What the YAML parser says, in the words of the one who wrote the file: what stands there, and what to write instead."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mainspring.definition.encoding import line_and_column


class Said(NamedTuple):
    """How to tell one kind of fault. `at_context`: the place is where the broken thing begins, not where it broke."""

    message: str
    hint: str | None = None
    at_context: bool = False


_reach = 10_000  # Characters that are looked back at for the beginning of a quoted text.
_template = "put a text with `${ … }` into quotes within `{ }` and `[ ]`"
_faults: tuple[tuple[str, str, Said], ...] = (
    ("", "tab character", Said("a tab stands in the indentation", "indent with spaces, not with tabs")),
    (
        "quoted scalar",
        "end of stream",
        Said(
            "the quote that begins here is never closed", "close it, or put the text in the other kind of quotes", True
        ),
    ),
    ("quoted scalar", "document indicator", Said("the quote that begins here is never closed", "close it", True)),
    (
        "quoted scalar",
        "escape character",
        Said("there is no such escape in double quotes", "write `\\\\` for a backslash, or use single quotes"),
    ),
    ("simple key", "expected ':'", Said("a `:` is missing behind this key", "write `key: value`", True)),
    (
        "block scalar",
        "comment or line break",
        Said(
            "behind `|` or `>` the text begins on the next line", "put a text that begins with `>` or `|` into quotes"
        ),
    ),
    ("flow node", "expected node content", Said("a value is missing here", "close each `[` and `{`")),
    (
        "block collection",
        "'-' indicator",
        Said("this line is not indented like the list above", "items of one list begin in the same column"),
    ),
    ("scanning an alias", "", Said("a text cannot begin with `*`", "put it in quotes", True)),
    ("scanning an anchor", "", Said("a text cannot begin with `&`", "put it in quotes", True)),
    ("parsing a tag", "", Said("a text cannot begin with `!`", "put it in quotes", True)),
    ("scanning a tag", "", Said("a text cannot begin with `!`", "put it in quotes", True)),
    ("", "incompatible YAML document", Said("only YAML 1.1 and 1.2 are read", "leave the `%YAML` line out")),
)
_condition_start = re.compile(r"""\b(?:condition|when|if)["']?\s*:\s*\$$""")
_quoted_start = re.compile(r"""\s*(?:- +)?[^:#]+:\s+(['"]).*\1\s*\S""")


def explained(error: Any, text: str) -> tuple[str, str | None, int, int]:
    """Message, hint, line and column of a syntax error."""
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    line_text = _line(text, mark)
    if mark is not None and (start := _runaway_quote(text, mark.index)) >= 0:
        message = f"the quote that begins here is closed in line {mark.line + 1} only, by the next quote there is"
        return message, "close it where its text ends", *line_and_column(text, start)
    if context.startswith("while parsing a flow") and "',' or '" in problem:
        return _unclosed(error, text, line_text)
    said = _special(problem, context, line_text, mark, text) or next(
        (
            said
            for where, what, said in _faults
            if where in context and what in problem and (error.context_mark is not None or not said.at_context)
        ),
        Said(problem or context or "not well-formed"),
    )
    if said.at_context:
        mark = error.context_mark
    return said.message, said.hint, *place_of(mark, text)


def place_of(mark: Any, text: str) -> tuple[int, int]:
    """The parser counts a line behind the end; a place is always within the text, at most at its end."""
    if mark is None:
        return 1, 1
    if mark.index < len(text):
        return mark.line + 1, mark.column + 1
    return line_and_column(text, len(text.rstrip("\r\n")))


def _runaway_quote(text: str, at: int) -> int:
    """Where the quoted text begins that ends just before a fault, if that is lines above: its own end was forgotten, and
    what ends it is the beginning of the next one. -1 where there is none."""
    quote = text[max(at - 1, 0) : at]
    if quote not in ("'", '"'):
        return -1
    start = text.rfind(quote, max(at - _reach, 0), at - 1)
    return start if start >= 0 and "\n" in text[start:at] else -1


def _unclosed(error: Any, text: str, line: str) -> tuple[str, str | None, int, int]:
    """Within `{ }` or `[ ]` something is missing. The parser sees it only where it can go on no more, lines below perhaps."""
    mark, opened = error.problem_mark, error.context_mark
    closing = "}" if "}" in error.problem else "]"
    before = line[: mark.column]
    hint = None
    if _condition_start.search(before):
        hint = "a condition is written without `${ }`"
    elif before.endswith("$"):
        hint = _template
    elif opened.line < mark.line:
        hint = f"the `{text[opened.index]}` of line {opened.line + 1} is still open"
    return f"a `,` or the `{closing}` is missing before this", hint, *place_of(mark, text)


def _special(problem: str, context: str, line: str, mark: Any, text: str) -> Said | None:
    """What depends on the line itself."""
    if "mapping values are not allowed" in problem:
        before = line[: mark.column] if mark else ""
        if before.count(":") > 0 and ": " in before:
            return Said(
                "a second `: ` on this line",
                "put a text that holds `: ` into quotes, or on lines of its own below a `|`",
            )
        if before.count(":") == 0 and line[:1] in " \t":
            return Said(
                "this line is indented deeper than the one above", "keys of one object begin in the same column"
            )
        return Said("a key cannot stand here", "write `key: value`, with a space behind the `:`")
    if "cannot start any token" in problem:
        mark_text = line[mark.column : mark.column + 1] if mark else ""
        if mark_text == "\t":
            return Said("a tab stands in the indentation", "indent with spaces, not with tabs")
        return Said(f"a text cannot begin with `{mark_text}`", "put it in quotes")
    if "block mapping" in context and "expected key" in problem:
        if _quoted_start.match(line):
            return Said(
                "the text ends with its quote, but more follows on this line",
                "put the whole into quotes of the other kind: '\"a\" == input.x'",
            )
        return Said("this line is not indented like the keys above", "keys of one object begin in the same column")
    return None


def _line(text: str, mark: Any) -> str:
    if mark is None:
        return ""
    at = min(mark.index, len(text))
    start = text.rfind("\n", max(at - 2_000, 0), at) + 1
    end = text.find("\n", at, at + 2_000)
    return text[start : end if end >= 0 else at + 2_000]


_forbidden = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


def forbidden_at(text: str) -> tuple[int, int]:
    """Line and column of the first character that YAML does not take: control characters, but for tabs and line ends."""
    match = _forbidden.search(text)
    return line_and_column(text, match.start() if match else 0)

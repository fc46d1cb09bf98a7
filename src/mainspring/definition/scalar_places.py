"""Which character of a scalar, as it is written, gives the n-th character of its text.

YAML writes one text in five ways, and folds, escapes and indents it; JSON escapes. Rather than five parsers there is one
walk along both, character by character, which gives up (and says so) where they cannot be brought together.
"""

from __future__ import annotations

import re

from mainspring.definition.bounds import scalar_placed_max

_properties = re.compile(r"(?:[&!]\S*\s+)*")
_space = re.compile(r"\s*")
_escape = re.compile(r"\\(?:x..|u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|U........|.)", re.DOTALL)


def offset_within(raw: str, value: str, offset: int) -> int | None:
    """Where in `raw` the character `offset` of `value` stands, or None."""
    if len(raw) > scalar_placed_max:
        return None
    end = len(value.rstrip())
    behind = offset >= end
    target = max(end - 1, 0) if behind else offset
    at = _start(raw)
    quote = raw[at : at + 1]
    if quote in ("'", '"'):
        at += 1
    elif quote in ("|", ">"):
        at = raw.find("\n", at) + 1
    else:
        quote = ""
    for index in range(target + 1):
        found = _match(raw, at, value[index : index + 1], quote)
        if found is None:
            return None
        start, at = found
    return at if behind and end else start


def _start(raw: str) -> int:
    match = _properties.match(raw)
    return match.end() if match else 0


def _match(raw: str, at: int, character: str, quote: str) -> tuple[int, int] | None:
    """Where the next character of the text begins and ends in `raw`."""
    while at < len(raw):
        here = raw[at]
        if here == "\\" and quote == '"':
            match = _escape.match(raw, at)
            if match is None:
                return None
            if match.group()[1:2] in "\r\n":
                at = _skip_space(raw, match.end())
                continue
            return at, match.end()
        if here == "'" and quote == "'":
            return (at, at + 2) if raw[at + 1 : at + 2] == "'" else None
        if here == character:
            return at, at + 1
        if not here.isspace():
            return None
        # A line that is folded: all the space here stands for one space or some ends of lines, or is indentation.
        end = _skip_space(raw, at)
        if character.isspace():
            return at, end
        at = end
    return (at, at) if not character else None


def _skip_space(raw: str, at: int) -> int:
    match = _space.match(raw, at)
    return match.end() if match else at

"""JSON to a plain tree. What `json` lets pass is refused: duplicate keys, numbers that are none, half characters."""

from __future__ import annotations

import re
from typing import Any

from mainspring.definition.bounds import (
    document_depth_max,
    document_nodes_max,
    findings_max,
    object_keys_max,
    text_length_max,
)
from mainspring.definition.findings import Finding, finding
from mainspring.definition.places import Wanted
from mainspring.definition.scalars import NotANumber, decimal, integer, no_constant

_string = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_piece_count = 4096
# So many commas, or containers, outside of strings.
_commas = re.compile(rf'(?:[^",]*+(?:{_string}[^",]*+)*+,){{{_piece_count}}}+', re.DOTALL)
_openings = re.compile(rf'(?:[^"{{\[]*+(?:{_string}[^"{{\[]*+)*+[{{\[]){{{_piece_count}}}+', re.DOTALL)
_between = re.compile(rf'[^"]*+(?:{_string}[^"]*+)*+', re.DOTALL)
_half_pair = re.compile(r"\\u[dD][89a-fA-F]")
_escape = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
# Numbers that might not be any: long ones, those with an exponent, and words.
_odd_number = re.compile(r"[0-9]{19}|[0-9][eE]|NaN|Infinity")
_word = re.compile(rf'{_string}|[^\s{{}}\[\],:"]+', re.DOTALL)


def read_json(text: str) -> tuple[Any, list[Finding]]:
    """The tree (None where there is none), and what is wrong."""
    if not text.strip():
        return None, [_at("MS004", "the document is empty", 1, 1, "a workflow has at least `id` and `nodes`")]
    if _has_too_many(text):
        return None, [_too_many()]
    refused = _giant(text)
    if refused is not None:
        return None, [refused]
    reader = _JsonReader(text)
    tree = reader.read()
    return tree, reader.findings


class _JsonReader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.findings: list[Finding] = []
        self.not_numbers: dict[str, str] = {}
        self.doubled: list[dict[str, Any]] = []

    def read(self) -> Any:
        import json

        numbers: dict[str, Any] = {}
        if _odd_number.search(self.text):
            numbers = {name: self.number(of) for name, of in _number_kinds.items()}
        try:
            tree = json.loads(self.text, object_pairs_hook=self.pairs, **numbers)
        except json.JSONDecodeError as error:
            self.syntax(error.msg, error.pos)
            return None
        except RecursionError:
            self.findings.append(_too_deep(self.text))
            return None
        except _TooManyKeys:
            self.findings.append(_too_many_keys(1, 1))
            return None
        found = _check_values(tree, self.text)
        if found is not None:
            self.findings.append(found)
            return None
        if self.doubled:
            self.duplicates(tree)
        if self.not_numbers:
            self.place_numbers()
        return tree

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items) and len(self.doubled) < findings_max:
            self.doubled.append(found)
        if len(found) > object_keys_max:
            raise _TooManyKeys
        return found

    def number(self, read: Any) -> Any:
        def checked(text: str) -> Any:
            try:
                return read(text)
            except NotANumber as error:
                self.not_numbers[text] = str(error)
                return 0

        return checked

    def place_numbers(self) -> None:
        """Where each number that is none stands: outside of strings, and nothing but it."""
        left = findings_max
        for match in _word.finditer(self.text):
            message = self.not_numbers.get(match.group())
            if message is not None:
                self.report("MS008", message, match.start(), "write it as text, in quotes")
                left -= 1
            if not left:
                break

    def duplicates(self, tree: Any) -> None:
        """Say where keys stand twice, in the objects that `pairs` met and that are still in the tree."""
        from mainspring.definition.json_places import duplicate_keys

        ids = {id(one) for one in self.doubled}
        wanted: Wanted = {}
        pointers: set[tuple[str | int, ...]] = set()
        stack: list[tuple[Any, tuple[str | int, ...]]] = [(tree, ())]
        while stack and len(pointers) < len(ids):
            value, pointer = stack.pop()
            if id(value) in ids:
                pointers.add(pointer)
                here = wanted
                for part in pointer:
                    here = here.setdefault(part, {})
            items = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
            stack.extend((item, (*pointer, part)) for part, item in items if type(item) is dict or type(item) is list)
        for key, place in duplicate_keys(self.text, wanted, pointers):
            self.findings.append(_at("MS006", f"duplicate key `{key[:80]}`", place.line, place.column))

    def syntax(self, problem: str, offset: int) -> None:
        message, hint = _explained(problem, self.text, offset)
        self.report("MS004", f"not well-formed JSON: {message}", offset, hint)

    def report(self, code: str, message: str, offset: int, hint: str | None = None) -> None:
        line, column = _line_column(self.text, offset)
        self.findings.append(_at(code, message, line, column, hint))


class _TooManyKeys(Exception):
    pass


_number_kinds: dict[str, Any] = {"parse_int": integer, "parse_float": decimal, "parse_constant": no_constant}


def _has_too_many(text: str) -> bool:
    """Whether there are more values than may be; found out before memory is spent on them."""
    # Each value but the first of a container comes after a comma. Most texts are let pass by this alone.
    openings = text.count("[") + text.count("{") - text.count("[]") - text.count("{}")
    if text.count(",") + openings < document_nodes_max:
        return False
    count = -text.count("[]") - text.count("{}")
    for pieces in (_commas, _openings):
        at = 0
        while match := pieces.match(text, at):
            count, at = count + _piece_count, match.end()
            if count > document_nodes_max:
                return True
    return False


_long_text = re.compile(rf'"[^"\\]{{{text_length_max + 1}}}')
_member = rf'\s*+{_string}\s*+:\s*+(?:{_string}|[^"{{}}\[\],]++)\s*+,'
_large_object = re.compile(rf"\{{(?:{_member}){{{object_keys_max}}}+", re.DOTALL)


def _giant(text: str) -> Finding | None:
    """What alone is too large, found before memory is spent on it: a text, an object of nothing but keys."""
    for match in _long_text.finditer(text) if len(text) > text_length_max else ():
        # Else it begins with the quote that ends a text.
        if _between.fullmatch(text, 0, match.start()) is not None:
            message = f"a text is longer than text_length_max, {text_length_max}"
            place = _line_column(text, match.start())
            return _at("MS002", message, *place, "put data into files or variables of a run")
    large = _large_object.search(text) if text.count(":") > object_keys_max else None
    if large is not None:
        return _too_many_keys(*_line_column(text, large.start()))
    return None


def _too_many_keys(line: int, column: int) -> Finding:
    message = f"an object has more keys than object_keys_max, {object_keys_max}"
    return _at("MS002", message, line, column, "put data into files or variables of a run")


def _explained(problem: str, text: str, offset: int) -> tuple[str, str | None]:
    """What `json` says, in words of the one who wrote the file."""
    rest = text[offset : offset + 1]
    if text[offset : offset + 2] in ("//", "/*") or rest == "#":
        return "JSON knows no comments", "take the comment out, or write the workflow in YAML"
    if rest == "'":
        return "text stands in double quotes", "write \"…\" instead of '…'"
    if "property name" in problem and rest == "}":
        return "a comma before `}`", "take the comma out"
    if "property name" in problem:
        return "a key in double quotes is expected", 'write it as "key": value' if rest else None
    if problem == "Expecting value" and rest in ("]", "}"):
        return f"a value is missing before `{rest}`", "take the comma out, or give a value"
    if problem == "Expecting value" and rest == "":
        return "the file ends where a value is expected", "was the file saved whole?"
    if problem == "Expecting ',' delimiter":
        return "a comma or the end of the list or object is expected", None if rest else "was the file saved whole?"
    if problem == "Extra data":
        return "there is more behind the end of the workflow", "put each workflow into a file of its own"
    return problem[:1].lower() + problem[1:], None


def _check_values(tree: Any, text: str) -> Finding | None:
    """Depth and number of the values, level by level; and the strings, where an escape may be half a character."""
    if _half_pair.search(text) is not None:
        half = _half_character(text)
        if half is not None:
            line, column = _line_column(text, half)
            return _at("MS003", "a string holds half of a \\u surrogate pair", line, column)
    level, count = [tree], 0
    for _ in range(document_depth_max + 1):
        count += len(level)
        if count > document_nodes_max:
            return _too_many()
        containers = [value for value in level if type(value) is dict or type(value) is list]
        level = [item for value in containers for item in (value.values() if type(value) is dict else value)]
        if not containers:
            return None
    return _too_deep(text)


def _half_character(text: str) -> int | None:
    """Where a `\\ud83d` stands without its other half, or the other half without it."""
    high: int | None = None
    for match in _escape.finditer(text):
        code = int(match[1], 16) if match[1] else 0
        is_low = 0xDC00 <= code < 0xE000
        if high is not None and (not is_low or match.start() != high + 6):
            return high
        if is_low and high is None:
            return match.start()
        high = match.start() if 0xD800 <= code < 0xDC00 else None
    return high


def _too_many() -> Finding:
    message = f"the document has more values than document_nodes_max, {document_nodes_max}"
    return _at("MS002", message, 1, 1, "put data into files or variables of a run")


_bracket = re.compile(rf"{_string}|[{{}}\[\]]", re.DOTALL)


def _depth(text: str, limit: int) -> int | None:
    """Where the brackets are nested deeper than the limit."""
    depth = 0
    for match in _bracket.finditer(text):
        mark = match.group()
        depth += (mark in "{[") - (mark in "}]")
        if depth > limit:
            return match.start()
    return None


def _too_deep(text: str) -> Finding:
    line, column = _line_column(text, _depth(text, document_depth_max) or 0)
    return _at("MS005", f"nested deeper than document_depth_max, {document_depth_max}", line, column)


def _line_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _at(code: str, message: str, line: int, column: int, hint: str | None = None) -> Finding:
    found = finding(code, message, (), hint)
    return Finding(code, found.severity, found.message, hint, None, line, column)

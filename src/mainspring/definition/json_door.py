"""JSON to a plain tree, with duplicate keys refused; and a scanner that finds places when they are asked for."""

from __future__ import annotations

import re
from typing import Any

from mainspring.definition.bounds import document_depth_max, document_nodes_max
from mainspring.definition.findings import Finding, finding
from mainspring.definition.places import Place, Places
from mainspring.definition.scalars import NotANumber, decimal, integer, no_constant

_token = re.compile(r'[ \t\r\n]*(?:("(?:[^"\\]|\\.)*")|([{}\[\],:])|([^\s{}\[\],:"]+))', re.DOTALL)
_half_pair = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(text: str) -> tuple[Any, list[Finding]]:
    """The tree (None where there is none), and what is wrong."""
    import json

    if not text.strip():
        return None, [_at("MS004", "the document is empty", 1, 1)]
    duplicates = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal duplicates
        found = dict(items)
        duplicates = duplicates or len(found) != len(items)
        return found

    try:
        tree = json.loads(
            text, object_pairs_hook=pairs, parse_int=integer, parse_float=decimal, parse_constant=no_constant
        )
    except json.JSONDecodeError as error:
        return None, [_at("MS004", f"not well-formed JSON: {error.msg}", error.lineno, error.colno)]
    except NotANumber as error:
        return None, [_number_finding(text, error)]
    except RecursionError:
        return None, [_too_deep(text)]
    findings = _check_values(tree, text)
    if findings:
        return None, findings
    if duplicates:
        _, more = scan(text)
        findings.extend(more)
    return tree, findings


def _check_values(tree: Any, text: str) -> list[Finding]:
    """Depth and number of the values, level by level; and the strings, where an escape may be half a character."""
    suspicious = _half_pair.search(text) is not None
    level, count = [tree], 0
    for _ in range(document_depth_max + 1):
        if suspicious and any(_is_half(value) for value in level):
            return [_at("MS003", "a string holds half of a \\u surrogate pair", 1, 1)]
        count += len(level)
        if count > document_nodes_max:
            message = f"the document has more values than document_nodes_max, {document_nodes_max}"
            return [_at("MS002", message, 1, 1)]
        containers = [value for value in level if type(value) is dict or type(value) is list]
        level = [item for value in containers for item in (value.values() if type(value) is dict else value)]
        if suspicious:
            level.extend(key for value in containers if type(value) is dict for key in value)
        if not containers:
            return []
    return [_too_deep(text)]


def _is_half(value: Any) -> bool:
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)


def scan(text: str) -> tuple[Places, list[Finding]]:
    """The places of all keys and values of a text that `json` could read, and its duplicate keys."""
    import json

    places, findings = Places(), list[Finding]()
    stack: list[tuple[Any, Any]] = []
    key: Any = None
    line, line_start, at = 1, 0, 0
    while match := _token.match(text, at):
        start = match.end() - len(match[match.lastindex or 0])
        newlines = text.count("\n", at, start)
        if newlines:
            line, line_start = line + newlines, text.rfind("\n", 0, start) + 1
        at = match.end()
        place = Place(line, start - line_start + 1)
        mark = match[2]
        if mark in ("]", "}"):
            stack.pop()
        elif mark == ":" or mark == ",":
            continue
        elif match[1] and stack and type(stack[-1][0]) is dict and not _has_key(stack[-1]):
            key = json.loads(match[1])
            container, state = stack[-1]
            if key in places.keys.setdefault(id(container), {}):
                findings.append(_at("MS006", f"duplicate key `{key[:80]}`", place.line, place.column))
            places.keys[id(container)][key] = place
            state.append(key)
        else:
            value: Any = {} if mark == "{" else [] if mark == "[" else None
            if match[1] and "\\" not in match[1]:
                place = Place(place.line, place.column, 1)
            _put(places, stack, value, place)
            if mark:
                stack.append((value, []))
    return places, findings


def _has_key(top: tuple[Any, Any]) -> bool:
    return bool(top[1])


def _put(places: Places, stack: list[tuple[Any, Any]], value: Any, place: Place) -> None:
    if not stack:
        places.root, places.start = value, place
        return
    container, state = stack[-1]
    if type(container) is dict:
        key: str | int = state.pop()
        container[key] = value
    else:
        key = len(container)
        container.append(value)
    places.values.setdefault(id(container), {})[key] = place


def _too_deep(text: str) -> Finding:
    depth = at = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', text):
        mark = match.group()
        depth += (mark in "{[") - (mark in "}]")
        if depth > document_depth_max:
            at = match.start()
            break
    line, column = _line_column(text, at)
    return _at("MS005", f"nested deeper than document_depth_max, {document_depth_max}", line, column)


def _number_finding(text: str, error: NotANumber) -> Finding:
    """The number's text stands in the message: its first place in the document is where to look."""
    word = next((part for part in str(error).split() if part[:1] in "-0123456789NI"), "")
    line, column = _line_column(text, max(0, text.find(word.rstrip("."))))
    return _at("MS008", str(error), line, column)


def _line_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _at(code: str, message: str, line: int, column: int) -> Finding:
    found = finding(code, message)
    return Finding(found.code, found.severity, message, None, None, line, column)

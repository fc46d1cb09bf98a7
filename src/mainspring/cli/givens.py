"""What `--input` gives: `k=v`, `k.sub=v`, `@file.json`, `{"json": …}`; several are merged."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click


def merged(texts: Iterable[str]) -> Any:
    """One value of all; None where there are none. A value that is no object must be the only one."""
    values = [_value(text) for text in texts]
    if len(values) == 1:
        return values[0]
    whole: dict[str, Any] = {}
    for value in values:
        if not isinstance(value, dict):
            raise click.BadParameter(
                "only objects can be merged; give a list or a plain value alone", param_hint="--input"
            )
        _merge(whole, value)
    return whole if values else None


def _value(text: str) -> Any:
    if text.startswith("@"):
        return _file(text[1:])
    if text.lstrip()[:1] in ("{", "["):
        return _json(text, "the JSON")
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise click.BadParameter(f"{text!r} is neither k=v, nor @file.json, nor JSON", param_hint="--input")
    nested: Any = _plain(value)
    for name in reversed(key.split(".")):
        nested = {name: nested}
    return nested


def _plain(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _file(name: str) -> Any:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise click.BadParameter(f"cannot read {name}: {error.strerror or error}", param_hint="--input") from None
    except UnicodeDecodeError:
        raise click.BadParameter(f"{name} is not UTF-8 text", param_hint="--input") from None
    return _json(text, name)


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        message = f"{what} is not well-formed: {error.msg} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        message = f"{what} cannot be read: {error}"
    raise click.BadParameter(message, param_hint="--input")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            into[key] = value

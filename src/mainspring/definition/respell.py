"""What all respelling shares: the findings, and where each canonical place comes from in the file."""

from __future__ import annotations

from typing import Any

from mainspring.definition.bounds import hints_max
from mainspring.definition.durations import parse_duration
from mainspring.definition.findings import Finding, Pointer, did_you_mean, finding
from mainspring.definition.kind_keys import KindWords
from mainspring.definition.vocabulary import Words

milliseconds_likely = 100
"""A timeout below this that has no unit was hardly meant as milliseconds."""


class Respelling:
    """Collects findings and origins. `origins` maps canonical pointers to those in the file, where they differ."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.origins: dict[Pointer, Pointer] = {}

    def origin(self, pointer: Pointer) -> Pointer:
        """Where in the file `pointer` comes from: the nearest known ancestor decides."""
        for length in range(len(pointer), 0, -1):
            known = self.origins.get(pointer[:length])
            if known is not None:
                return known + pointer[length:]
        return pointer

    def moved(self, new: Pointer, old: Pointer) -> None:
        self.origins[new] = old

    def report(self, code: str, message: str, pointer: Pointer, hint: str | None = None) -> None:
        self.findings.append(finding(code, message, pointer, hint))

    def keys(self, value: dict[str, Any], words: Words | KindWords, at: Pointer) -> dict[str, Any]:
        """The same object with canonical keys. Unknown keys stay: the conversion reports them where they stand."""
        result: dict[str, Any] = {}
        given: dict[str, str] | None = None
        for key, item in value.items():
            name = words.find(key) or key
            if name in result:
                other = (given or {}).get(name, name)
                self.report(
                    "MS106", f"`{other}` and `{key}` are two spellings of `{name}`", (*at, key), "leave one out"
                )
                continue
            if name != key:
                given = given or {}
                given[name] = key
                self.moved((*at, name), (*self.origin(at), key))
            result[name] = item
        return result

    def durations(self, value: dict[str, Any], names: tuple[str, ...], at: Pointer) -> None:
        """Turn the durations among the fields into milliseconds, in place; a bad one is reported and taken out."""
        for name in names:
            given = value.get(name)
            if given is None:
                continue
            parsed = parse_duration(given)
            if parsed is None:
                shown = f"`{given[:60]}`" if isinstance(given, str) else f"`{str(given)[:60]}`"
                hint = "write it as `500ms`, `10s`, `5m`, `1h`, `2d`, or as whole milliseconds"
                self.report("MS105", f"{shown} is no duration for `{name}`", (*at, name), hint)
                del value[name]
            else:
                value[name] = parsed
                if (
                    name == "timeout"
                    and 0 < parsed < milliseconds_likely
                    and not (isinstance(given, str) and not given.isdigit())
                ):
                    hint = f"write `{given}s` if seconds are meant, else `{given}ms`"
                    self.report("MS110", f"`{name}: {given}` is {given} milliseconds", (*at, name), hint)

    def word(self, value: dict[str, Any], name: str, words: dict[str, str], at: Pointer) -> None:
        """Canonicalise one word of a closed set, in place."""
        given = value.get(name)
        if not isinstance(given, str):
            return
        found = words.get(given.replace("_", "").replace("-", "").replace(" ", "").lower())
        if found is not None:
            value[name] = found
        else:
            self.unknown_word(given, name, words, (*at, name))
            del value[name]

    def unknown_word(self, given: str, name: str, words: dict[str, str], at: Pointer) -> None:
        known = sorted(set(words.values()))
        meant = did_you_mean(given, known) if len(self.findings) < hints_max else None
        hint = meant or f"it is one of {', '.join(known)}"
        self.report("MS103", f"unknown value `{given[:80]}` for `{name}`", at, hint)


def as_id(value: Any) -> Any:
    """YAML reads `id: 17` as a number; an id is text."""
    return str(value) if type(value) is int else value


def as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value

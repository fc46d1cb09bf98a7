"""Definitions bent in all ways: each ends in a definition or in findings at places within the file, and soon.

    python -m tests.definition.fuzz --count 100000 --seed 1 --processes 2

A failure prints its seed: `--seed N --count 1` does it again. What it found before is in `test_fuzz_found.py`.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from mainspring.cli.examples import EXAMPLES
from mainspring.cli.faults import show_findings
from mainspring.cli.look import Screen
from mainspring.definition.canonical import decode, encode
from mainspring.definition.encoding import lenient
from mainspring.definition.findings import Finding
from mainspring.graph.check import inspect_text

ROOT = Path(__file__).parents[2]
EACH_SECONDS_MAX = 1.0
"""CPU time that one small document may take. It is a few milliseconds; what hangs, or grows too fast, takes more."""

Random = random.Random
SCALARS = """
null ~ true False on no 0 -1 1.5 1e999 .inf -.nan 99999999999999999999 0x1g 0o17 007 12:30 2020-01-01 '' "" [] {} [[]]
{a:} *a *x &a &a,*a !!python/object:os.system !x @x `x` %x |- > - ? : ,, ${ ${x} ${input.a} "${'}" nodes.a.output
5s -5s 1h30m any {n:2} {any:true} each ports fail complete log delay function script a b <<:*a # \\ \\ud800 \\x00
""".split()  # noqa: SIM905
CHARACTERS = "\0\x01\x07\x1b\x7f\x85\xa0\ufeff\u200d\u2028\u2029\ufffe😀é日\t\r\n \\\"'`{}[]()<>:,#&*!|%@-?=$."
TOKENS = re.compile(r"\s+|[\w.-]+|.", re.DOTALL)


def corpus() -> list[str]:
    """Definitions that are right, or nearly: the examples of the codes, of the project and of its tests."""
    texts = [text for one in EXAMPLES.values() if one.kind == "file" for text in (one.bad, one.mended)]
    folders = [ROOT / "examples", ROOT / "tests" / "definition" / "files", ROOT.parent / "shared" / "fixtures"]
    for folder in folders:
        texts += [path.read_text("utf-8") for path in sorted(folder.glob("**/*")) if path.suffix in (".yaml", ".json")]
    return [text for text in texts if len(text) < 20_000]


TEXTS = corpus()


def _span(chance: Random, size: int) -> tuple[int, int]:
    start = chance.randrange(size + 1)
    return start, min(size, start + int(chance.expovariate(0.1)) + 1)


def flip(text: str, chance: Random) -> bytes:
    """Some bytes changed, put in or taken out."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(chance.randint(1, 4)):
        at, end = _span(chance, len(data))
        change = chance.randrange(4)
        data[at:end] = (
            bytes([chance.randrange(256)]), b"", bytes(data[at:end]) * 2, chance.randbytes(chance.randint(1, 4))
        )[change]  # fmt: skip
    return bytes(data)


def cut(text: str, chance: Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def splice(text: str, chance: Random) -> str:
    """Two files, joined somewhere."""
    other = chance.choice(TEXTS)
    return text[: chance.randrange(len(text) + 1)] + other[chance.randrange(len(other) + 1) :]


def tokens(text: str, chance: Random) -> str:
    """Words dropped, doubled, swapped, or another word in their place."""
    words = TOKENS.findall(text)
    for _ in range(chance.randint(1, 5)):
        if not words:
            break
        at, other = chance.randrange(len(words)), chance.randrange(len(words))
        change = chance.randrange(5)
        if change == 0:
            del words[at]
        elif change == 1:
            words.insert(other, words[at])
        elif change == 2:
            words[at], words[other] = words[other], words[at]
        else:
            words[at] = chance.choice(SCALARS)
    return "".join(words)


def lines(text: str, chance: Random) -> str:
    """Lines dropped, doubled, swapped, indented otherwise."""
    rows = text.split("\n")
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(rows)), chance.randrange(len(rows))
        change = chance.randrange(5)
        if change == 0 and len(rows) > 1:
            del rows[at]
        elif change == 1:
            rows.insert(other, rows[at])
        elif change == 2:
            rows[at], rows[other] = rows[other], rows[at]
        elif change == 3:
            rows[at] = chance.choice([" ", "  ", "\t", "- "]) + rows[at]
        else:
            rows[at] = rows[at][chance.randint(1, 3) :]
    return "\n".join(rows)


def characters(text: str, chance: Random) -> str:
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(CHARACTERS) * chance.choice([1, 1, 1, 3, 200]) + text[at:]
    return text


def values(text: str, chance: Random) -> str:
    """Keys and values of the tree dropped, renamed, or of another type; as JSON, which is YAML too."""
    try:
        # What aliases share would be written as often as they are used.
        tree = yaml.safe_load(text) if text.count("*") < 10 else None
    except (yaml.YAMLError, ValueError):
        tree = None
    if tree is None:
        return tokens(text, chance)
    for _ in range(chance.randint(1, 4)):
        _change(tree, chance)
    return json.dumps(
        tree, default=str, skipkeys=True, indent=chance.choice([None, 2]), ensure_ascii=chance.random() < 0.5
    )


def _change(tree: Any, chance: Random) -> None:
    holders = [tree]
    for holder in holders:
        children = holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
        holders += [child for child in children if isinstance(child, dict | list)]
    holder = chance.choice(holders)
    if not isinstance(holder, dict | list) or not holder:
        return
    key: Any = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    change = chance.randrange(4)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder, dict):
        holder[chance.choice([*SCALARS, str(key)[:-1], str(key) + "s"])] = holder.pop(key)
    elif change == 2:
        holder[key] = chance.choice([None, True, 0, -1, 1.5, 10**30, "", "x", [], {}, [[]], {"a": 1}, *SCALARS])
    else:
        other = chance.choice(holders)
        holder[key] = json.loads(json.dumps(other, default=str, skipkeys=True))


def noise(text: str, chance: Random) -> bytes:
    return chance.randbytes(chance.randint(0, 200))


MUTATIONS: tuple[Callable[[str, Random], str | bytes], ...] = (
    flip, cut, splice, tokens, tokens, lines, lines, characters, values, values, noise
)  # fmt: skip


def document(seed: int) -> tuple[bytes, str]:
    """The document of a seed, and whether it is read as YAML or as JSON."""
    chance = Random(seed)
    text: str | bytes = chance.choice(TEXTS)
    for _ in range(chance.choice([1, 1, 2, 3])):
        if isinstance(text, bytes):
            break
        text = chance.choice(MUTATIONS)(text, chance)
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    looks_json = data.lstrip()[:1] in (b"{", b"[")
    return data, "json" if chance.random() < (0.7 if looks_json else 0.1) else "yaml"


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def check(data: bytes, form: Any) -> None:
    """Raises AssertionError, or whatever should not have been raised."""
    began = time.process_time()
    definition, found = inspect_text(data, format=form, name="fuzz")
    assert definition is not None or any(one.severity == "error" for one in found), "neither definition nor error"
    ends = "\n" if form == "json" and not any(one.code == "MS003" for one in found) else "\r\n|[\r\n\x85\u2028\u2029]"
    rows = re.split(ends, lenient(data))
    for one in found:
        inside(one, rows)
    shown = _Terminal()
    show_findings(Screen(shown), found, {"fuzz": lenient(data)})
    assert "\x07" not in shown.getvalue(), "a control character went to the terminal"
    if definition is not None:
        assert decode(encode(definition.workflow)) == definition.workflow
    spent = time.process_time() - began
    assert spent < EACH_SECONDS_MAX, f"took {spent:.2f} s"


def inside(one: Finding, rows: list[str]) -> None:
    """A finding's place is in the file, at the end of a line at most."""
    assert one.line is not None and one.column is not None, f"no place: {one}"
    assert 1 <= one.line <= len(rows), f"line {one.line} of {len(rows)}: {one}"
    assert 1 <= one.column <= len(rows[one.line - 1]) + 1, f"column {one.column} of {rows[one.line - 1]!r:.80}: {one}"


def run(first: int, count: int) -> tuple[list[str], float]:
    """Check so many seeds: what failed, and the longest time of one."""
    failures, longest = [], 0.0
    for seed in range(first, first + count):
        data, form = document(seed)
        began = time.process_time()
        try:
            check(data, form)
        except Exception:
            failures.append(f"seed {seed} ({form}): {data[:2000]!r}\n{traceback.format_exc(limit=-3)}")
        longest = max(longest, time.process_time() - began)
    return failures, longest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    began = time.perf_counter()
    size = max(1, min(1_000, given.count // given.processes))
    starts = range(given.seed, given.seed + given.count, size)
    failures: list[str] = []
    longest = 0.0
    with ProcessPoolExecutor(given.processes) as pool:
        counts = [min(size, given.seed + given.count - start) for start in starts]
        for failed, slowest in pool.map(run, starts, counts):
            failures += failed
            longest = max(longest, slowest)
    for failure in failures[:20]:
        print(failure)
    seconds = time.perf_counter() - began
    print(f"{given.count} definitions, {len(failures)} failures, slowest {longest * 1000:.0f} ms, {seconds:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Which instances may go: each with its children, and only all of them together.

A parent undoes its children, and they tell it of their ends; a start with a key that was used before finds the children of
the one before. So a family is one thing here: an instance that somebody started, and whatever it and its children started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from mainspring.engine.retention import RetentionRule
from mainspring.journal.records import InstanceRecord
from mainspring.journal.store import Store

PAGE = 500

FAMILIES_AT_ONCE_MAX = 20_000
"""So many are remembered by one look through the store; of more, the oldest."""


class Family:
    """One that somebody started, and its children. `members` are numbers and ids; its own comes last."""

    __slots__ = ("ended_before", "id", "members", "why", "workflow")

    def __init__(self, record: InstanceRecord, ended_before: int | None) -> None:
        self.id = record.id
        self.workflow = record.workflow
        self.ended_before = ended_before
        self.members = [(record.number, record.id)]
        self.why = ""

    def add(self, child: _Child) -> None:
        """Another one of it, which may be a reason to keep them all."""
        self.members.insert(0, (child.number, child.id))
        if child.ended_at is None:
            self.why = "children"
        elif self.ended_before is not None and child.ended_at > self.ended_before:
            self.why = self.why or "young"


class _Child(NamedTuple):
    number: int
    id: str
    parent: str
    ended_at: int | None


class Found(NamedTuple):
    """Those that may go, the newest first, and how many stay, by why. `more`: there are others that may go."""

    families: list[Family]
    kept: Counter[str]
    more: bool


async def find_families(store: Store, rule_of: Callable[[str], RetentionRule], now: int) -> Found:
    """Look through all records, once. What it remembers of them is what may go, and the children."""
    lettered = await _lettered(store)
    kept: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    families: dict[str, Family] = {}
    children: list[_Child] = []
    more = False
    async for record in _records(store):
        if record.parent is not None:
            children.append(_Child(record.number, record.id, record.parent, record.ended_at))
            continue
        rule = rule_of(record.workflow)
        if rule.keeps_all:
            continue
        before = None if rule.older_than_ms is None else now - rule.older_than_ms
        why = _why_kept(record, rule, before, ended)
        if why:
            kept[why] += 1
            continue
        families[record.id] = Family(record, before)
        if len(families) > FAMILIES_AT_ONCE_MAX:
            del families[next(iter(families))]
            more = True
    _add_children(families, children)
    going = []
    for family in families.values():
        why = "dead letters" if any(number in lettered for number, _ in family.members) else family.why
        if why:
            kept[why] += 1
        else:
            going.append(family)
    return Found(going, kept, more)


def _why_kept(record: InstanceRecord, rule: RetentionRule, before: int | None, ended: Counter[str]) -> str:
    """Why one that somebody started stays, as far as its own record tells ("": it may go)."""
    if record.ended_at is None:
        return "open"
    ended[record.workflow] += 1
    if rule.keep is not None and ended[record.workflow] <= rule.keep:
        return "newest"
    if before is not None and record.ended_at > before:
        return "young"
    return ""


def _add_children(families: dict[str, Family], children: list[_Child]) -> None:
    parents = {child.id: child.parent for child in children}
    for child in children:
        root = child.parent
        while root in parents:
            root = parents[root]
        if root in families:
            families[root].add(child)


async def _records(store: Store) -> AsyncIterator[InstanceRecord]:
    before: int | None = None
    while True:
        page = await store.instances(before=before, limit=PAGE)
        for record in page:
            yield record
        if len(page) < PAGE:
            return
        before = page[-1].number


async def _lettered(store: Store) -> set[int]:
    """The numbers of all that have dead letters."""
    found: set[int] = set()
    after: str | None = None
    while True:
        page = await store.dead_letters(after=after, limit=PAGE)
        found.update(letter.instance for letter in page)
        if len(page) < PAGE:
            return found
        after = page[-1].id

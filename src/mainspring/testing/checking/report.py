"""What a check has found: how much was explored, and the smallest run that breaks an invariant."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

from mainspring.testing.checking.explorer import Found, Tally
from mainspring.testing.checking.space import Space
from mainspring.testing.checking.story import told


class Counterexample(Struct, frozen=True):
    """A run that breaks an invariant. `replay` names it; `trace` tells it, in at most twelve lines."""

    invariant: str
    text: str
    failures: tuple[str, ...]
    killed: bool
    trace: tuple[str, ...]
    replay: str


class Report(Struct, frozen=True):
    """`sets` has, by the number of failures, how many sets were explored and how many there are."""

    workflow: str
    counterexample: Counterexample | None
    sets: dict[int, tuple[int, int]]
    sets_alike: int
    schedules: int
    schedules_cut: int
    crashes: int
    states: int
    seconds: float
    ends: dict[str, int]
    notes: tuple[str, ...]
    out_of_time: bool

    @property
    def clean(self) -> bool:
        """Whether no run that was explored breaks an invariant."""
        return self.counterexample is None

    def data(self) -> dict[str, Any]:
        """The same as JSON has it."""
        found = self.counterexample
        return {
            "workflow": self.workflow,
            "clean": self.clean,
            "failureSets": [{"failures": size, "explored": of[0], "all": of[1]} for size, of in self.sets.items()],
            "failureSetsAlike": self.sets_alike,
            "schedules": self.schedules,
            "schedulesCut": self.schedules_cut,
            "crashPoints": self.crashes,
            "distinctStates": self.states,
            "seconds": round(self.seconds, 3),
            "outOfTime": self.out_of_time,
            "ends": self.ends,
            "notes": list(self.notes),
            "counterexample": None if found is None else structs.asdict(found),
        }

    def text(self) -> str:
        """For a person, without colours."""
        return "\n".join(lines(self))


def reported(space: Space, tally: Tally, found: Found | None, seconds: float, notes: list[str]) -> Report:
    """The report of an exploration."""
    return Report(
        workflow=space.root.id,
        counterexample=None if found is None else counterexample(space, found),
        sets={size: (tally.sets.get(size, 0), count) for size, count in tally.sets_in_all.items()},
        sets_alike=tally.sets_alike,
        schedules=tally.schedules,
        schedules_cut=tally.cut,
        crashes=tally.kills,
        states=tally.states,
        seconds=seconds,
        ends=dict(tally.outcomes),
        notes=tuple(notes),
        out_of_time=tally.out_of_time,
    )


def counterexample(space: Space, found: Found) -> Counterexample:
    """A found run, told."""
    case = found.case
    return Counterexample(
        invariant=found.broken.invariant,
        text=found.broken.text,
        failures=tuple(fault.words() for fault in case.faults),
        killed=case.killed is not None,
        trace=tuple(told(found.trial.ledger.deeds, found.broken, space.instances)),
        replay=case.token(),
    )


def lines(report: Report) -> list[str]:
    """A report, line by line: first the counterexample, then how much was explored."""
    found = report.counterexample
    head = [f"{report.workflow}: clean, no run breaks an invariant"]
    if found is not None:
        head = [f"{report.workflow}: {found.invariant}: {found.text}", f"  with {given(found)}"]
        head += [f"    {line}" for line in found.trace]
        head.append(f"  replay: {found.replay}")
    return [*head, *(f"  {name}: {text}" for name, text in explored(report))]


def given(found: Counterexample) -> str:
    """What it takes, in words."""
    parts = [*found.failures, *(["the process dies once"] if found.killed else [])]
    return "; ".join(parts) or "no failure at all"


_SIZES = {0: "without a failure", 1: "single", 2: "double", 3: "triple"}


def explored(report: Report) -> list[tuple[str, str]]:
    """How much was explored: pairs of a word and what is to be said of it."""
    rows = [("failures", _sets(report))]
    cut = f"{report.schedules_cut:,} set{' there was' if report.schedules_cut == 1 else 's there were'}"
    drawn = f"; in {cut} more than schedules_max, and some were drawn"
    whole = "" if report.out_of_time else ", each that leads to another state"
    orders = _count(report.schedules, "order")
    rows.append(("schedules", f"{orders} of events{drawn if report.schedules_cut else whole}"))
    rows.append(("crashes", f"{_count(report.crashes, 'death')} of the process, one in each durable state"))
    rows.append(("states", f"{report.states:,} distinct"))
    rows.append(("ends", ", ".join(f"{count:,} {how.replace('_', ' ')}" for how, count in sorted(report.ends.items()))))
    late = "; the time was up (--seconds)" if report.out_of_time else ""
    rows.append(("time", f"{report.seconds:.1f} s{late}"))
    return [*rows, *(("note", note) for note in report.notes)]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def _sets(report: Report) -> str:
    parts = []
    for size, (done, count) in report.sets.items():
        if not size:
            continue  # there is one such set, always
        of = f"all {count:,}" if done == count else f"{done:,} of {count:,}"
        parts.append(f"{of} {_SIZES.get(size, f'of {size}')}")
    text = ", ".join(parts) or "none"
    alike = f" ({report.sets_alike:,} of these cannot happen)" if report.sets_alike else ""
    return text + alike

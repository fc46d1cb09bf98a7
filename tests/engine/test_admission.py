"""Slots of suspects: one at a time, and none is held by a run that is over."""

from __future__ import annotations

from typing import Any

from mainspring.engine.admission import SUSPECTS, Admission
from mainspring.machine.effects import AskAdmission
from mainspring.machine.inputs import AdmissionGranted


class Slots:
    """An admission, and whom it let in."""

    def __init__(self) -> None:
        self.granted: list[tuple[object, str, int]] = []
        self.admission = Admission(self._answer, lambda: 0)

    def _answer(self, live: object, answer: AdmissionGranted) -> None:
        self.granted.append((live, answer.path, answer.run))

    def ask(self, live: Any, path: str, run: int, crashes: int = 2) -> None:
        self.admission.ask(live, AskAdmission(path, run, SUSPECTS, crashes))


def test_a_reloaded_instance_keeps_the_slot_of_the_run_that_is_under_way() -> None:
    slots, live, other = Slots(), object(), object()
    slots.ask(live, "p", 1)
    slots.ask(other, "q", 1)
    slots.admission.ask_anew(live, lambda path, run: (path, run) == ("p", 1))  # type: ignore[arg-type]
    assert slots.granted == [(live, "p", 1)]
    slots.admission.release(live, "p", 1)  # type: ignore[arg-type]
    assert slots.granted == [(live, "p", 1), (other, "q", 1)]


def test_a_reloaded_instance_gives_back_the_slot_of_a_run_whose_next_one_is_under_way() -> None:
    """Q1: the order to release it was lost with a commit that was reported as failed; run 2 is no suspect and has no slot."""
    slots, live, other = Slots(), object(), object()
    slots.ask(live, "p", 1)
    slots.ask(other, "q", 1)
    slots.admission.ask_anew(live, lambda path, run: (path, run) == ("p", 2))  # type: ignore[arg-type]
    assert slots.granted == [(live, "p", 1), (other, "q", 1)]

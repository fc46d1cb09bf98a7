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


def test_a_reloaded_instance_is_not_granted_the_slot_that_it_gives_back() -> None:
    """It has several suspects, and the commit of the first one's start failed: it asks again for all, and one may start."""
    slots, live, other = Slots(), object(), object()
    for path in ("p", "q", "r"):
        slots.ask(live, path, 1)
    slots.ask(other, "o", 1)
    slots.admission.ask_anew(live, lambda path, run: False)  # type: ignore[arg-type]
    assert slots.granted == [(live, "p", 1), (other, "o", 1)]
    slots.ask(live, "p", 1)
    slots.admission.forget(other)  # type: ignore[arg-type]
    slots.ask(live, "q", 1)
    assert slots.granted == [(live, "p", 1), (other, "o", 1), (live, "p", 1)]


# --- locks ---


class Locks(Slots):
    """An admission after a first sweep, and who has which lock."""

    def __init__(self, *recovering: Any) -> None:
        super().__init__()
        for live in recovering:
            self.admission.expect(live)
        self.admission.swept()

    def want(self, live: Any, path: str = "m", run: int = 1, lock: str = "a", held: bool = False) -> None:
        self.admission.ask(live, AskAdmission(path, run, f"lock:{lock}", held=held))

    def release(self, live: Any, path: str = "m", run: int = 1) -> None:
        self.admission.release(live, path, run)

    @property
    def who(self) -> list[object]:
        return [live for live, _, _ in self.granted]


class One:
    """What an admission needs to know of an instance."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.id = f"i{number}"


A, B, C, D = (One(number) for number in range(4))


def test_one_holder_at_a_time_in_the_order_in_which_they_asked() -> None:
    locks = Locks()
    for one in (A, B, C, D):
        locks.want(one)
    locks.release(C)  # it wants it no longer
    assert locks.who == [A]
    locks.release(A)
    locks.release(B)
    assert locks.who == [A, B, D]
    assert locks.admission.busy() == {D.number}
    locks.release(D)
    assert not locks.admission.busy()
    locks.want(A)
    assert locks.who == [A, B, D, A]


def test_each_name_is_a_lock_of_its_own_and_asking_twice_changes_nothing() -> None:
    locks = Locks()
    locks.want(A, lock="a")
    locks.want(B, lock="b")
    locks.want(C, lock="a")
    locks.want(C, lock="a")
    locks.want(A, lock="a")
    assert locks.who == [A, B]
    locks.release(A)
    locks.release(C)
    assert locks.who == [A, B, C]


def test_nobody_gets_one_before_all_that_were_open_have_gone_on() -> None:
    locks = Slots()
    locks.admission.expect(A)  # type: ignore[arg-type]
    locks.admission.expect(B)  # type: ignore[arg-type]

    def want(live: Any, held: bool = False) -> None:
        locks.admission.ask(live, AskAdmission("m", 1, "lock:a", held=held))

    want(C)
    locks.admission.swept()
    want(A)
    locks.admission.recovered(A)  # type: ignore[arg-type]
    assert locks.granted == []
    want(B, held=True)
    locks.admission.recovered(B)  # type: ignore[arg-type]
    assert locks.granted == [], "B holds it, and needs no answer"
    locks.admission.release(B, "m", 1)  # type: ignore[arg-type]
    assert [live for live, _, _ in locks.granted] == [C], "who asked first"


def test_one_that_cannot_go_on_keeps_nobody_waiting() -> None:
    locks = Locks(A)
    locks.want(B)
    assert locks.who == []
    locks.admission.forget(A)  # type: ignore[arg-type]
    assert locks.who == [B]


def test_an_instance_that_leaves_memory_gives_up_its_locks_and_its_places() -> None:
    locks = Locks()
    for one in (A, B, C):
        locks.want(one)
    locks.want(A, path="n", lock="b")
    locks.admission.forget(B)  # type: ignore[arg-type]
    locks.admission.forget(A)  # type: ignore[arg-type]
    assert locks.who == [A, A, C]
    assert locks.admission.busy() == {C.number}


def test_a_reloaded_holder_keeps_its_lock_while_its_run_is_under_way() -> None:
    locks = Locks()
    for one in (A, B):
        locks.want(one)
    locks.admission.ask_anew(A, lambda path, run: True)  # type: ignore[arg-type]
    locks.want(A, held=True)
    assert locks.who == [A]
    locks.admission.ask_anew(A, lambda path, run: False)  # type: ignore[arg-type]
    assert locks.who == [A, B]


def test_other_resources_are_granted_at_once() -> None:
    locks = Slots()
    locks.admission.ask(A, AskAdmission("n", 1, "node:n"))  # type: ignore[arg-type]
    locks.admission.ask(B, AskAdmission("n", 1, "node:n"))  # type: ignore[arg-type]
    assert len(locks.granted) == 2

"""A window that is given another size: what is over it goes, with its marks."""

from __future__ import annotations

from mainspring.limits.window import Window


def test_a_smaller_window_forgets_the_oldest_and_their_marks() -> None:
    window = Window(2, 4)
    for at, marks in enumerate([(True, False), (False, True), (False, False), (True, True)]):
        window.add(at, *marks)
    assert (window.count(9), list(window.marked(9)), window.total) == (4, [2, 2], 4)
    window.resize(2, None)
    assert (window.count(9), list(window.marked(9)), window.total) == (2, [1, 1], 2)
    window.add(10, False, False)
    assert window.calls() == ((3, (True, True)), (10, (False, False)))


def test_a_time_holds_from_then_on() -> None:
    window = Window(1, 4)
    window.add(0, True)
    window.add(50, False)
    window.resize(4, 20)
    assert (window.count(60), list(window.marked(60))) == (1, [0])
    window.add_unmarked(90)
    assert window.calls() == ((90, (False,)),)

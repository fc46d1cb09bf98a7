"""Named points at which a process kills itself (SIGKILL), put around the engine's parts from outside: none of them knows.

`MAINSPRING_TEST_KILL_AT="after commit:3"` names one, and at which time of coming there. The process says so in the side file
first.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mainspring.engine.dispatch import Dispatcher
from mainspring.engine.host import Host
from mainspring.journal.records import Committed, Lease, Write
from mainspring.journal.store import Store
from tests.kill.work import tell

VARIABLE = "MAINSPRING_TEST_KILL_AT"

VERBS = ("renew", "claim", "post", "sent")
"""Of the store: the lease is kept, work is taken over, a message is acknowledged to its sender, one that was sent is."""

DEEDS = ("commit", "consume", "dispatch", "timer", *VERBS)
"""`consume` is a commit that acknowledges a message out of an inbox, `commit` any other."""

POINTS = tuple(f"{when} {deed}" for deed in DEEDS for when in ("before", "after"))


class Fate:
    """What the variable says, and how often each point was met."""

    def __init__(self) -> None:
        name, _, time = os.environ.get(VARIABLE, "").partition(":")
        assert not name or name in POINTS, f"{VARIABLE}: there is no point {name!r}"
        self._name, self._time = name, int(time or 1)
        self._met: Counter[str] = Counter()

    def meet(self, point: str) -> None:
        """Come to a point, and perhaps no further."""
        self._met[point] += 1
        if point == self._name and self._met[point] == self._time:
            tell(f"P {point}")
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, deed: str, do: Callable[..., Any]) -> Callable[..., Any]:
        """A function with a point before and one after it."""

        def done(*given: Any) -> Any:
            self.meet(f"before {deed}")
            result = do(*given)
            self.meet(f"after {deed}")
            return result

        return done


class FatalStore:
    """A store with points around what it does."""

    def __init__(self, inner: Store, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        return (lambda *given, **more: self._call(name, verb, *given, **more)) if name in VERBS else verb

    async def _call(self, name: str, verb: Callable[..., Awaitable[Any]], *given: Any, **more: Any) -> Any:
        self._fate.meet(f"before {name}")
        result = await verb(*given, **more)
        self._fate.meet(f"after {name}")
        return result

    def commit(self, lease: Lease, writes: Sequence[Write]) -> Awaitable[Committed]:
        """Begins when it is called, as it does without points."""
        deed = "consume" if any(write.consumed for write in writes) else "commit"
        self._fate.meet(f"before {deed}")
        return self._after(deed, self._inner.commit(lease, writes))

    async def _after(self, deed: str, pending: Awaitable[Committed]) -> Committed:
        committed = await pending
        self._fate.meet(f"after {deed}")
        return committed


def fatal(store: Store) -> Any:
    """The store with points, in a process that has them in the engine too."""
    fate = Fate()
    Dispatcher.dispatch = fate.around("dispatch", Dispatcher.dispatch)  # type: ignore[method-assign]
    Host._fire = fate.around("timer", Host._fire)  # type: ignore[method-assign]
    return FatalStore(store, fate)

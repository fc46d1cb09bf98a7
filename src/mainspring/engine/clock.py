"""What time it is: UTC milliseconds. The only clock that the engine reads; the simulator brings its own."""

from __future__ import annotations

import random
import time
from typing import ClassVar, Protocol


class Clock(Protocol):
    """Time and chance, from outside. `steady`: it never jumps while the event loop waits by another one."""

    @property
    def steady(self) -> bool:
        """Whether waiting for a time by the event loop's clock ends at that time by this one."""
        ...

    def now(self) -> int:
        """UTC milliseconds."""
        ...

    def seed(self) -> int:
        """64 random bits."""
        ...


class SystemClock:
    """The machine's own."""

    __slots__ = ("_random",)
    steady: ClassVar[bool] = False

    def __init__(self) -> None:
        self._random = random.SystemRandom().getrandbits(64)

    def now(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    def seed(self) -> int:
        """64 bits of a sequence whose start is random: jitter and ids need no more, and it costs no system call."""
        # splitmix64: one addition and a mix.
        self._random = (self._random + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = self._random
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return z ^ (z >> 31)

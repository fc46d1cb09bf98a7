"""How slow this machine is at the moment, for bounds in seconds that are meant for another one."""

from __future__ import annotations

import time

UNIT_SECONDS = 0.07
"""What `slowness` does takes so long on the machine that bounds are meant for."""


def slowness() -> float:
    """1 on that machine or a faster one, 2 on one that takes twice its time: by the CPU time of making texts and a dict."""
    began = time.process_time()
    dict.fromkeys([str(number) for number in range(300_000)])
    return max(1.0, (time.process_time() - began) / UNIT_SECONDS)

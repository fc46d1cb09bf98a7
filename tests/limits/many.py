"""`python -m tests.limits.many [INSTANCES] [PLACES] [SEED] [--engine]`: many instances for few places, in virtual time.

`--engine`: the same with the production engine around it (`many_engine.py`). Here it is the gate alone.

Attempts end, time out, are cancelled; processes are killed, with all that they hold. After each of these: never more leases
than places, nobody waits while a place is free, and in the end nothing is held and nobody was forgotten.
"""

from __future__ import annotations

import heapq
import logging
import sys
from random import Random

from mainspring.limits.gate import Gate
from mainspring.limits.lanes import Desk, Holder
from mainspring.limits.limit import FREE, Ended, Lease, Verdict
from mainspring.limits.pool import Pool

ENDS = (("ok", 0.6), ("failed", 0.15), ("stopped", 0.25))
KILLS = 20


def play(instances: int, places: int, seed: int) -> dict[str, int]:
    """How much happened. AssertionError where something is not as it must be."""
    random = Random(seed)
    admitted: list[Lease] = []

    def answered(lease: Lease, verdict: Verdict) -> None:
        assert verdict is FREE
        admitted.append(lease)

    gate, holder, pool = Gate(answered), Holder(), Desk(Pool("p", places))
    lanes = [
        gate.lane(number % 3, f"w{number % 5}", [(pool, 1)], [(Desk(Pool(f"own{number}", 1)), 1)] if number % 2 else [])
        for number in range(instances)
    ]
    due: list[tuple[int, int, str, Lease]] = []
    for number in range(instances):
        heapq.heappush(due, (random.randrange(1_000), number, "ask", Lease(f"i{number}", "n", 1, 1)))
        if random.random() < 0.1:
            heapq.heappush(due, (random.randrange(60_000), number, "cancel", Lease(f"i{number}", "n", 1, 1)))
    for kill in range(KILLS):
        heapq.heappush(due, (random.randrange(60_000), -1 - kill, "kill", Lease("", "", 0, 0)))
    over: set[Lease] = set()
    done = {"ok": 0, "failed": 0, "stopped": 0, "cancel": 0, "kill": 0}
    while due:
        now, number, what, lease = heapq.heappop(due)
        if what == "ask" and lease not in over:
            gate.ask(lanes[number], holder, lease, now)
        elif what == "kill":  # a tenth of what is held was in that process: its instances ask again
            for held in random.sample(sorted(holder.leases), len(holder.leases) // 10):
                gate.give_back(holder, held, Ended("stopped"), now)
                again = Lease(held.instance, "n", 1, held.attempt + 1)
                heapq.heappush(due, (now + random.randrange(500), int(held.instance[1:]), "ask", again))
                done["kill"] += 1
        elif what == "cancel":
            for held in [one for one in (*holder.leases, *gate.waiting) if one.instance == lease.instance]:
                gate.give_back(holder, held, Ended("stopped"), now)
                over.add(held)
                done["cancel"] += 1
        elif lease in holder.leases:
            gate.give_back(holder, lease, Ended(what), now)  # type: ignore[arg-type]
            over.add(lease)
            done[what] += 1
        for one in admitted:
            end = random.choices([name for name, _ in ENDS], [weight for _, weight in ENDS])[0]
            heapq.heappush(due, (now + random.randrange(1, 400), int(one.instance[1:]), end, one))
        admitted.clear()
        assert len(pool.limit.holders()) <= places, f"over at {now}"
        assert len(pool.limit.holders()) == len(holder.leases), f"a place leaks at {now}"
        waits = len(gate.waiting)
        assert not waits or len(holder.leases) == places or _own_only(gate), (
            f"a place is free at {now}, and {waits} wait"
        )
    assert not holder.leases and not gate.waiting and pool.queue is None
    return done


def _own_only(gate: Gate) -> bool:
    """Whether all who wait do so for their own instance."""
    return all(one.lane.needs and one.lane.desk is not None for one in gate.waiting.values())


if __name__ == "__main__":
    sizes = [int(one) for one in (*(one for one in sys.argv[1:] if one != "--engine"), "10000", "100", "0")][:3]
    if "--engine" in sys.argv:
        from tests.limits import many_engine

        logging.disable()
        print(many_engine.play(*sizes))
    else:
        print(play(*sizes))

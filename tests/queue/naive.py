"""The leased queue a second time, from docs/concepts/queues.md: one list, searched from its beginning at every verb."""

from __future__ import annotations

from typing import Any


class Naive:
    def __init__(self, capacity: int, retries_max: int, delay: int, dead_max: int) -> None:
        self.capacity, self.retries_max, self.delay, self.dead_max = capacity, retries_max, delay, dead_max
        self.time = 0
        self.offered = 0
        self.leases = 0
        self.queue: list[dict[str, Any]] = []
        self.dead: list[dict[str, Any]] = []

    def tick(self, now: int) -> None:
        self.time = max(self.time, now)

    def find(self, id: int, among: list[dict[str, Any]]) -> dict[str, Any] | None:
        return next((one for one in among if one["id"] == id), None)

    def die(self, one: dict[str, Any], reason: str) -> None:
        self.queue.remove(one)
        one["reason"], one["died"] = reason, self.time
        self.dead.append(one)

    def room_for_kept(self) -> None:
        # In the order in which they were to die, which is the order of `kept_at`, then of ids.
        for one in sorted((o for o in self.queue if o["is"] == "kept"), key=lambda o: (o["kept_at"], o["id"])):
            if len(self.dead) < self.dead_max:
                self.die(one, one["how"])

    def end(self, one: dict[str, Any], how: str, not_before: int | None = None) -> tuple[str, int | None]:
        one["how"] = how
        if one["retries"] == self.retries_max:
            if len(self.dead) < self.dead_max:
                self.die(one, how)
                return "dead", None
            one["is"], one["kept_at"] = "kept", self.time
            return "kept", None
        one["retries"] += 1
        one["is"] = "waiting"
        one["from"] = self.time + one["retries"] * self.delay if not_before is None else not_before
        return "requeued", one["from"]

    def offer(self, payload: Any) -> int | str:
        if len(self.queue) >= self.capacity:
            self.room_for_kept()
        if len(self.queue) >= self.capacity:
            return "full"
        self.offered += 1
        one = {"id": self.offered, "payload": payload, "is": "waiting", "from": 0, "retries": 0, "given": 0}
        self.queue.append({**one, "lease": 0, "until": None, "how": "", "at": self.time})
        return self.offered

    def expire(self) -> list[tuple[int, str, int | None]]:
        over = [o for o in self.queue if o["is"] == "leased" and o["until"] is not None and o["until"] <= self.time]
        over.sort(key=lambda o: (o["until"], o["id"]))
        ends = [(one["id"], *self.end(one, "expired")) for one in over]
        self.room_for_kept()
        return ends

    def checkout(self, visibility: int | None) -> dict[str, Any] | None:
        self.expire()
        due = [one for one in self.queue if one["is"] == "waiting" and one["from"] <= self.time]
        if not due:
            return None
        one = min(due, key=lambda o: o["id"])
        self.leases += 1
        one.update({"is": "leased", "lease": self.leases, "given": one["given"] + 1})
        one["until"] = None if visibility is None else self.time + visibility
        return one

    def why_not(self, id: int, lease: int) -> str | None:
        """None where the token is good."""
        if not 1 <= lease <= self.leases:
            return "unknown"
        one = self.find(id, self.queue)
        if one is None:
            return self.absent(id)
        if lease != one["lease"]:
            return "replaced" if lease < one["lease"] else "unknown"
        if one["is"] != "leased":
            return str(one["how"])
        return "expired" if one["until"] is not None and one["until"] <= self.time else None

    def absent(self, id: int) -> str:
        if self.find(id, self.dead):
            return "dead"
        return "gone" if 1 <= id <= self.offered else "unknown"

    def held(self, id: int) -> dict[str, Any]:
        one = self.find(id, self.queue)
        assert one is not None
        return one

    def supersede(self, id: int) -> str | None:
        one = self.find(id, self.queue)
        if one is None:
            return self.absent(id)
        if len(self.dead) >= self.dead_max:
            return "dead_letters_full"
        if one["is"] == "leased":
            one["how"] = "superseded"
        self.die(one, "superseded")
        return None

    def requeue(self, id: int) -> str | None:
        one = self.find(id, self.dead)
        if one is None:
            return "not_dead" if self.find(id, self.queue) else self.absent(id)
        if len(self.queue) >= self.capacity:
            return "full"
        self.dead.remove(one)
        one.update({"is": "waiting", "from": 0, "retries": 0, "until": None, "how": one["reason"]})
        self.queue.append(one)
        return None

    def next_due(self, now: int) -> int | None:
        now = max(now, self.time)
        times = [one["from"] for one in self.queue if one["is"] == "waiting"]
        times += [one["until"] for one in self.queue if one["is"] == "leased" and one["until"] is not None]
        return max(now, min(times)) if times else None

    def count(self, what: str) -> int:
        return sum(one["is"] == what for one in self.queue)

"""The tasks of trip.yaml. Whatever `fail` names in the input fails."""

from __future__ import annotations

from typing import Any

import mainspring as ms


@ms.task
async def charge(ctx: ms.TaskContext, amount: float = 240.0, fail: str = "") -> dict[str, Any]:
    # The key is the same for all attempts: a real provider charges once, whatever happens here.
    return {"paid": amount, "receipt": ctx.idempotency_key, "fail": fail}


@ms.task
async def seat(fail: str = "") -> dict[str, Any]:
    _perhaps(fail, "seat", "the train is full")
    return {"what": "seat 12A", "fail": fail}


@ms.task
async def room(fail: str = "") -> dict[str, Any]:
    _perhaps(fail, "room", "the hotel has no room left")
    return {"what": "room 204", "fail": fail}


@ms.task
async def send(seat: dict[str, Any], room: dict[str, Any]) -> dict[str, Any]:
    _perhaps(room["fail"], "send", "the mailbox does not exist")
    return {"sent": [seat["what"], room["what"]]}


@ms.task
async def refund(ctx: ms.TaskContext, paid: float, receipt: str) -> dict[str, Any]:
    """What the undone run gave is the input; `ctx.compensation` says why, and what it is that is undone."""
    return {"refunded": paid, "of": receipt}


@ms.task
async def give_up(what: str) -> dict[str, Any]:
    return {"given up": what}


def _perhaps(wanted: str, name: str, why: str) -> None:
    if wanted == name:
        raise ms.Fatal(why)

"""The tasks of order.yaml: plain functions, some async, some not."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import mainspring as ms


@ms.task
async def reserve(ctx: ms.TaskContext, amount: float = 12.5, gift: bool = False) -> dict[str, Any]:
    for percent in (25, 50, 75, 100):
        await asyncio.sleep(0.05)
        ctx.progress(percent, "looking for the goods")
    return {"order": "o-1001", "amount": amount, "gift": gift}


@ms.task
async def charge(ctx: ms.TaskContext, order: str, amount: float) -> dict[str, Any]:
    """The provider refuses each first attempt, so that a retry can be seen; over 1,000 it refuses for good."""
    await asyncio.sleep(0.1)
    if ctx.attempt == 1:
        raise ConnectionError("the payment provider did not answer")
    if amount > 1000:
        raise ms.Fatal(f"the card was declined: {amount} is over its limit", code="declined")
    # The key is the same for all attempts: a real provider would charge once, whatever happens here.
    return {"order": order, "paid": amount, "receipt": ctx.idempotency_key}


@ms.task
def gift_wrap(order: str) -> dict[str, Any]:
    time.sleep(0.1)
    return {"order": order, "paper": "red"}


@ms.task
def ship(ctx: ms.TaskContext, order: str, paper: str | None = None) -> dict[str, Any]:
    """A synchronous task: it runs in a thread and blocks nobody."""
    for percent in (50, 100):
        time.sleep(0.15)
        ctx.progress(percent, "packing")
    ctx.variables["parcel"] = f"p-{order}"
    return {"order": order, "parcel": f"p-{order}", "paper": paper}


@ms.task
async def notify(order: str, parcel: str) -> dict[str, Any]:
    await asyncio.sleep(0.1)
    return {"text": f"order {order} is on its way as {parcel}"}


@ms.task
async def release(order: str) -> dict[str, Any]:
    await asyncio.sleep(0.1)
    return {"order": order, "released": True}

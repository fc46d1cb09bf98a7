"""The work of expense.yaml. Plain functions: each gets what it asks for by the names of its parameters."""

from typing import Any

import mainspring as ms


@ms.task
async def check(who: str = "Ada", amount: float = 120.0, account: str = "open") -> dict[str, Any]:
    """What this gives is what the next node gets."""
    return {"who": who, "amount": round(amount, 2), "account": account}


@ms.task
def pay(ctx: ms.TaskContext, who: str, amount: float, account: str) -> dict[str, Any]:
    """The bank does not answer at the first attempt, so that a retry can be seen. Put your own bank here."""
    if account == "closed":
        raise ms.Fatal(f"the account of {who} is closed")  # no further attempt can mend that
    if ctx.attempt == 1:
        raise ConnectionError("the bank did not answer")
    # The key is the same for every attempt, and after a crash too: with it, the bank pays once.
    return {"who": who, "paid": amount, "reference": ctx.idempotency_key}


@ms.task
async def confirm(who: str, paid: float) -> dict[str, Any]:
    return {"text": f"{paid:.2f} are on their way to {who}"}


@ms.task
async def ask(who: str, why: str) -> dict[str, Any]:
    return {"text": f"somebody must look at the claim of {who}: {why}"}

"""A kind of node that books an entry in a ledger: a file with a line of JSON for each.

What the author of a workflow decides is the config (which ledger, up to which amount), what each run brings is the input (the
entry). An attempt that is made again, after a crash or by a retry, has the same idempotency key: so it finds what it booked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

import mainspring as ms


class Ledger(Struct):
    file: Annotated[str, Meta(description="the ledger's file", min_length=1, examples=["ledger.jsonl"])]
    limit: Annotated[float, Meta(description="the largest amount that is booked without a person", ge=0)] = 1_000.0


class Entry(Struct):
    account: str
    amount: float


class Booked(Struct):
    number: int


@ms.node_kind("ledger.book", ports=("refused",), icon="📒")
def book(input: Entry, config: Ledger, context: ms.TaskContext) -> Booked | ms.Output:
    """Books an entry in a ledger, once; by the port `refused` where it is too large."""
    if abs(input.amount) > config.limit:
        reason = f"{input.amount:g} is more than {config.limit:g}"
        return ms.Output({"account": input.account, "reason": reason}, port="refused")
    ledger = Path(config.file)
    lines = ledger.read_text("utf-8").splitlines() if ledger.exists() else []
    for number, line in enumerate(lines, 1):
        if json.loads(line)["key"] == context.idempotency_key:
            return Booked(number)
    entry = {"key": context.idempotency_key, "account": input.account, "amount": input.amount}
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    return Booked(len(lines) + 1)

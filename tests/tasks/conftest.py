from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mainspring.messaging.task import TaskCall


@pytest.fixture
def new_call() -> Callable[..., TaskCall]:
    """A call with a payload; what it reports is gathered in `call.report.__self__` (a list)."""

    def make(payload: Any = None, variables: dict[str, Any] | None = None, attempt: int = 1) -> TaskCall:
        reports: list[tuple[float, str]] = []

        class Reports(list):  # type: ignore[type-arg]
            def take(self, percent: float, text: str) -> None:
                self.append((percent, text))

        return TaskCall(
            instance="i-1",
            path="charge",
            run=1,
            attempt=attempt,
            idempotency_key="i-1/charge/1",
            input=msgspec.json.encode(payload),
            variables=msgspec.json.encode(variables or {}),
            report=Reports(reports).take,
            max_attempts=3,
        )

    return make

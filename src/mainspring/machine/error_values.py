"""An error record as those see it who look at an error: conditions, handlers, the output of a loop."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.machine.events import ErrorRecord


def error_value(error: ErrorRecord) -> dict[str, Any]:
    """An error as expressions and handlers of failures see it."""
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "attempt": error.attempt,
        "maxAttempts": error.max_attempts,
        "context": msgspec.json.decode(error.context),
        "fatal": error.fatal,
    }

"""The named points at which a simulation does harm. One registry: a test sees to it that each of them is hit."""

from __future__ import annotations

VERBS = (
    "acquire",
    "renew",
    "claim",
    "mail",
    "next_wake",
    "numbers",
    "define",
    "commit",
    "post",
    "load",
    "find",
    "definition",
    "turns",
)
"""The store's verbs at which a process can die, before or after."""

FAILING = (
    "acquire",
    "renew",
    "claim",
    "mail",
    "next_wake",
    "numbers",
    "define",
    "post",
    "load",
    "find",
    "definition",
    "turns",
)
"""The store's verbs that can fail without an effect (`commit` has two ways of its own)."""

POINTS: tuple[str, ...] = (
    *(f"crash before {verb}" for verb in VERBS),
    *(f"crash after {verb}" for verb in VERBS),
    *(f"{verb} fails" for verb in FAILING),
    "commit fails unwritten",
    "commit fails though written",
    "commit is slow",
    "read is slow",
    "crash at any time",
    "kill at any time",
    "orderly restart",
    "pause past the lease",
    "short pause",
    "clock jumps forward",
    "clock jumps back",
    "wake-up lost",
    "result lost",
    "result doubled",
    "result late",
    "task fails",
    "task fails fatally",
    "task is slow",
    "task blocks until cancelled",
    "handler missing",
    "cancel by engine",
    "cancel by inbox",
    "message posted twice",
    "start with the same key twice",
    "keyless start",
    "large output",
    "template raises",
    "upstream waits for room",
    "late message absorbed",
    "others stopped",
    "block times out",
    "bodies are stopped",
    "bodies disagree on a variable",
    "turn has its fill of bodies",
    "lock is waited for",
    "maxConcurrency is used up",
    "maxConcurrentExecutions is used up",
    "a pool is used up",
    "units of an instance is used up",
    "units of the engine is used up",
    "a token is waited for",
    "a breaker refuses",
    "falls back",
    "a fallback fails",
    "something stands in",
    "nothing stands in",
    "the threshold is crossed",
    "a failure ends a body",
    "the retry budget is spent",
    "partial success",
    "critical failures are let stand",
    "a branch is undone",
    "undone after a cancel",
    "a run in a body is undone",
    "a saga has pages",
    "undoing fails for good",
    "a saga gives up",
    "a saga goes on by hand",
    "compensated twice at once",
    "task ends its process",
    "a letter is buried",
    "a letter is raised",
    "a letter is purged",
    "a letter is requeued twice at once",
    "a requeued letter is refused",
    "an instance is reopened",
    "what followed a letter runs again",
    "the machine fails",
    "the machine fails half-way",
    "resume by engine",
    "resume by inbox",
)


class Points:
    """How often each was hit in one run."""

    def __init__(self) -> None:
        self.hits: dict[str, int] = dict.fromkeys(POINTS, 0)

    def hit(self, name: str) -> None:
        """Count it. KeyError where the registry does not have it."""
        self.hits[name] += 1

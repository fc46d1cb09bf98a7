"""The checker: every failure, many orders, each crash; the smallest run that breaks an invariant."""

from mainspring.testing.checking.checker import CheckFailed, check, explore, prepared, replayed
from mainspring.testing.checking.explorer import Budget, Tally
from mainspring.testing.checking.faults import BadToken
from mainspring.testing.checking.report import Counterexample, Report

__all__ = [
    "BadToken",
    "Budget",
    "CheckFailed",
    "Counterexample",
    "Report",
    "Tally",
    "check",
    "explore",
    "prepared",
    "replayed",
]

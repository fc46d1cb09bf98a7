"""What others can use to test: workflows in virtual time, killed at each turn; the contract of a store, the simulator."""

from mainspring.testing.checking import CheckFailed, check
from mainspring.testing.killing import Changed, Moment, Observed, Signal, kill_at_each_turn, observe
from mainspring.testing.running import run

__all__ = ["Changed", "CheckFailed", "Moment", "Observed", "Signal", "check", "kill_at_each_turn", "observe", "run"]

"""What others can use to test: workflows in virtual time, the contract of a store, the simulator."""

from mainspring.testing.running import run

__all__ = ["run"]

"""50 instances at once with 15 % of their nodes failing: who is terminated is what the rule says, exactly."""

from __future__ import annotations

from tests.engine import wide


async def test_the_terminated_instances_are_those_of_the_oracle() -> None:
    failures = wide.drawn(wide.SEED, 50)
    found, _ = await wide.run_all(failures, 0)
    assert found == wide.terminated_by_rule(failures)
    assert 0 < len(found) < 5, "some, and under a tenth"


async def test_what_the_first_turns_lead_to_begins_while_the_others_are_decided() -> None:
    """Were all decided first, nothing would run for as long as that takes: then the last commit and all starts follow."""
    decided = await wide.begun_while_deciding(30)
    assert decided[0] <= 5, f"{decided[0]} of 30 instances had decided before the first node began"
    assert len(decided) == 30 * wide.WIDTH


def test_dependencies_hold_in_any_order() -> None:
    for seed in range(20):
        wide.run_in_random_order(seed)

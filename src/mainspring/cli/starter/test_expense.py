"""The workflow, run as it is, in virtual time: nobody waits for a retry."""

from pathlib import Path

from mainspring.testing import run

EXPENSE = Path(__file__).with_name("expense.yaml")


def test_a_small_claim_is_paid_at_the_second_attempt() -> None:
    result = run(EXPENSE, input={"who": "Ada", "amount": 120})
    assert result.status == "completed"
    assert result.output == {"confirm": {"text": "120.00 are on their way to Ada"}}
    assert result.nodes["pay"].attempts == 2
    assert result.nodes["ask"].status == "skipped"


def test_a_large_claim_waits_for_a_person() -> None:
    result = run(EXPENSE, input={"who": "Ada", "amount": 800})
    assert result.nodes["pay"].status == "skipped"
    assert result.output == {"ask": {"text": "somebody must look at the claim of Ada: the claim is large"}}


def test_so_does_one_that_cannot_be_paid() -> None:
    result = run(EXPENSE, input={"who": "Bob", "amount": 20, "account": "closed"})
    assert result.status == "completed"  # the failure was handled
    assert result.nodes["pay"].status == "failed"
    assert result.output == {"ask": {"text": "somebody must look at the claim of Bob: the account of Bob is closed"}}

"""Nodes of kinds that mainspring does not have itself: their config is computed in the turn that orders an attempt (N8)."""

from __future__ import annotations

from typing import Any

from mainspring.machine import effects as fx
from mainspring.machine import inputs

from .harness import Run, asked, dispatched, encoded, graph, names

TEMPLATES = {"channel": "${ variables.channel }", "text": "to ${ value }", "level": 3}
RETRY = {"strategy": "fixed", "maxAttempts": 2, "initialDelay": 10, "jitter": 0}


def run_of(text: str = "k -> l; m", config: Any = None, channel: Any = "a", **node: Any) -> tuple[Run, list[Any]]:
    """A started run of a graph with a custom node k, and what was ordered of k."""
    given = TEMPLATES if config is None else config
    run = Run(graph(text, k={"type": "slack.post", "config": given, **node}, l={"type": "log"}))
    return run, orders(run.start("me", variables=encoded({"channel": channel})))


def orders(turn: Any) -> list[Any]:
    return [order for order in asked(turn, fx.DispatchTask) if order.path == "k"]


def error(run: Run) -> str:
    found = run.state("k").error
    assert found is not None
    return f"{found.type}: {found.message}"


def test_an_order_has_the_config_of_its_attempt() -> None:
    _, (order,) = run_of()
    assert order.config == b'{"channel":"a","text":"to me","level":3}'


def test_a_config_without_templates_is_the_same_for_all() -> None:
    _, (order,) = run_of(config={"text": "costs $${5}", "n": [1, None]})
    assert order.config == b'{"text":"costs ${5}","n":[1,null]}'


def test_nodes_of_our_own_kinds_have_theirs_from_the_start() -> None:
    run, _ = run_of()
    (other,) = [order for order in run.effects if isinstance(order, fx.DispatchTask) and order.path == "m"]
    assert other.config == b""


def test_each_attempt_has_its_own() -> None:
    run, _ = run_of(retry=RETRY)
    run.fail("k")
    run.finish("m", variables=encoded({"channel": "b"}))
    (order,) = orders(run.timer("k", fx.RETRY))
    assert (order.attempt, order.config) == (2, b'{"channel":"b","text":"to me","level":3}')
    run.fail("k")
    assert run.state("k").status == "failed"


def test_one_that_cannot_be_computed_fails_the_node_before_its_attempt() -> None:
    run, ordered = run_of("k -fail-> l", config={"n": "${ 1 / variables.channel }"}, channel=0, retry=RETRY)
    assert ordered == []
    assert error(run).startswith("MappingError: the config failed at `n`: ")
    assert (run.state("k").attempt, run.state("l").status, run.status) == (0, "completed", "completed")


def test_an_order_that_was_lost_is_given_again_with_its_config() -> None:
    run, (first,) = run_of()
    turn = run.take(inputs.Reattach(known=(("m", 1, 1),)))
    assert orders(turn) == [first] and turn.events == []


def test_a_lost_order_whose_config_can_no_longer_be_made_fails_its_node() -> None:
    run, _ = run_of(config={"n": "${ 1 / variables.channel }"}, channel=2)
    run.finish("m", variables=encoded({"channel": 0}))
    turn = run.take(inputs.Reattach())
    assert dispatched(turn) == [] and names(turn)[:1] == ["NodeFailed"]
    assert error(run).startswith("MappingError: the config failed at `n`: ")
    assert (run.state("l").status, run.status) == ("skipped", "failed")


def test_after_a_crash_the_attempt_that_follows_has_its_own() -> None:
    run, _ = run_of()
    run.finish("m", variables=encoded({"channel": "b"}))
    (order,) = orders(run.recover())
    assert (order.attempt, order.config) == (2, b'{"channel":"b","text":"to me","level":3}')


def test_a_result_is_known_by_the_config_too() -> None:
    keys = {run_of(channel=channel, cache={"ttl": 1_000})[1][0].cache_key for channel in ("a", "b", "a")}
    assert keys == {
        b'["me",{"channel":"a","text":"to me","level":3}]',
        b'["me",{"channel":"b","text":"to me","level":3}]',
    }


def test_a_port_that_no_connection_has_is_no_fault() -> None:
    run, _ = run_of("k -> l; k -@late-> m")
    run.finish("k", 1, port="other")
    assert [run.state(name).status for name in "klm"] == ["completed", "skipped", "skipped"]
    assert run.status == "completed"

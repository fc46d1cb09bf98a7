"""Failure policies and decisions, rule by rule (SEMANTICS 48-55, 59)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.definition.model import ResilienceSpec, Retry, Workflow
from mainspring.graph.plan import Plan
from mainspring.machine import effects as fx
from mainspring.machine import events as ev
from mainspring.machine import inputs
from tests.machine.harness import Run, graph, names, run_of


def rules(**spec: Any) -> ResilienceSpec:
    """The rules of a resilience file, in the words of files."""
    return msgspec.convert(spec, ResilienceSpec)


def fate(run: Run, path: str) -> tuple[str, str]:
    """The decision on a node's failure, and its rule."""
    state = run.state(path)
    return state.decision, state.reason


def resilience(**said: Any) -> dict[str, Any]:
    """A node that says this of its failure."""
    return {"resilience": said}


# -- where a rule comes from (50)


@pytest.mark.parametrize(
    ("workflow", "node", "expected"),
    [
        ({}, {}, ("continue", "continue, the default")),
        (
            {"resilience": rules(name="house-rules", defaultFailurePolicy="partial_success")},
            {},
            ("degrade", "defaultFailurePolicy partial_success of house-rules"),
        ),
        (
            {"failure_policy": "continue", "resilience": rules(defaultFailurePolicy="partial_success")},
            {},
            ("continue", "failurePolicy continue of the workflow"),
        ),
        (
            {
                "failure_policy": "continue",
                "resilience": rules(stepPolicies={"payments": {"failurePolicy": "fail_fast"}}),
            },
            {"tags": ["slow", "payments"]},
            ("terminate", "failurePolicy fail_fast of policy payments (tag payments)"),
        ),
        (
            {"resilience": rules(stepPolicies={"payments": {"failurePolicy": "fail_fast"}})},
            {"tags": ["payments"], **resilience(failurePolicy="graceful_degradation")},
            ("degrade", "failurePolicy graceful_degradation of node a"),
        ),
        (
            {"failure_policy": "partial_success"},
            resilience(isCritical=True),
            ("continue", "failurePolicy partial_success of the workflow, and isCritical true of node a"),
        ),
        (
            {"failure_policy": "partial_success"},
            resilience(failureImpact="critical"),
            ("continue", "failurePolicy partial_success of the workflow, and failureImpact critical of node a"),
        ),
        ({"failure_policy": "partial_success"}, resilience(isCritical=False, failureImpact="critical"), ("degrade",)),
    ],
)
def test_the_decision_and_the_rule_it_came_from(workflow: Any, node: Any, expected: Any) -> None:
    run = run_of("a; b", None, workflow, a=node)
    run.fail("a")
    assert fate(run, "a")[: len(expected)] == expected
    event = next(event for event in run.events if isinstance(event, ev.NodeFailed))
    assert (event.decision, event.rule) == fate(run, "a")


@pytest.mark.parametrize(
    ("node", "by"),
    [
        ({"tags": ["x", "t"]}, "tag t"),
        ({"metadata": {"category": "c"}}, "category c"),
        ({"type": "slack.post"}, "type slack.post"),
        ({"config": {"handler": "cache_warm"}}, "task cache_warm"),
        ({"config": {"handler": "shop.tasks:charge"}}, "task charge"),
        ({"config": {"handler": "shop.tasks:ship"}}, "task shop.tasks:ship"),
    ],
)
def test_what_a_policy_matches_a_node_by(node: Any, by: str) -> None:
    words = ["t", "c", "slack.post", "cache_warm", "charge", "shop.tasks:ship"]
    spec = rules(stepPolicies={"other": {}, "mine": {"match": words, "isCritical": True}})
    plan = graph("a", {"resilience": spec}, a=node)
    assert plan.policies.of(plan.nodes[0]).critical_rule == f"isCritical true of policy mine ({by})"


def test_the_first_policy_of_the_file_matches_and_a_name_wins() -> None:
    first, second = {"match": ["x"], "failureImpact": "minor"}, {"match": ["y"], "failureImpact": "negligible"}
    spec = rules(stepPolicies={"first": first, "second": second})
    plan = graph(
        "a; b; c; d",
        {"resilience": spec},
        a={"tags": ["y", "x"]},
        b={"tags": ["x"], **resilience(policy="second")},
        c={"tags": ["x"], **resilience(policy="nowhere")},
        d={},
    )
    assert [plan.policies.of(node).impact for node in plan.nodes] == ["minor", "negligible", "major", "major"]
    assert [node.named and node.named.words for node in plan.nodes] == [
        "policy first (tag x)",
        "policy second",
        None,
        None,
    ]


def test_a_policy_gives_what_the_node_does_not_say() -> None:
    spec = rules(
        retry={"maxAttempts": 9},
        stepPolicies={
            "mail": {
                "retry": {"strategy": "fixed", "maxAttempts": 2},
                "timeout": 70,
                "fallbackActions": [{"type": "mail_log"}],
                "circuitBreaker": {"target": "smtp"},
                "rateLimit": {"rate": 3},
                "compensateFailed": True,
            }
        },
    )
    run = run_of("a", None, {"resilience": spec}, a={"tags": ["mail"]})
    node = run.plan.nodes[0]
    assert (node.timeout, node.max_attempts, node.definition.rate_limit.rate) == (70, 2, 3)  # type: ignore[union-attr]
    assert node.definition.circuit_breaker.target == "smtp"  # type: ignore[union-attr]
    assert node.definition.resilience.compensate_failed  # type: ignore[union-attr]
    assert [one.rule for one in node.fallbacks] == ["fallbackActions of policy mail (tag mail)"]
    own = {"tags": ["mail"], "timeout": 5, "retry": {"maxAttempts": 4}, **resilience(fallbackActions=[{"type": "x"}])}
    node = graph("a", {"resilience": spec}, a=own).nodes[0]
    assert (node.timeout, node.max_attempts, [one.rule for one in node.fallbacks]) == (
        5,
        4,
        ["fallbackActions of node a"],
    )
    assert graph("a", {"resilience": spec}).nodes[0].max_attempts == 9


@pytest.mark.parametrize(
    ("workflow", "node", "rule"),
    [
        ({}, {"retry": {"initialDelay": 1}}, "retry of node a"),
        ({"resilience": rules(name="house", retry={})}, {}, "retry of house"),
        (
            {"resilience": rules(stepPolicies={"t": {"retry": {}}}, retry={})},
            {"tags": ["t"]},
            "retry of policy t (tag t)",
        ),
    ],
)
def test_a_retry_names_its_rule(workflow: Any, node: Any, rule: str) -> None:
    run = run_of("a", None, workflow, a=node)
    run.fail("a")
    assert run.events[-1].reason == rule


def test_a_retry_of_the_workflow_names_it() -> None:
    run = run_of("a", None, {"retry": _retry()})
    run.fail("a")
    assert run.events[-1].reason == "retry of the workflow"


def _retry(**said: Any) -> Any:
    return msgspec.convert({"strategy": "fixed", "initialDelay": 1, **said}, Retry)


# -- in what order they are asked (48), the budget (49)


def test_the_budget_counts_the_retries_of_all_nodes_bodies_included() -> None:
    body = {"nodes": [{"id": "n", "type": "function"}]}
    run = run_of(
        "a; loop; c",
        None,
        {"retry": _retry(maxAttempts=9), "retry_budget": 2},
        loop={"type": "forEach", "config": {"items": [1], "body": body}},
    )
    run.fail("a")
    run.fail("loop[0].n")
    assert run.instance.retries == 2
    run.fail("c")
    assert run.nodes["c"] == "failed"
    run.recover()
    run.timer("a", fx.RETRY)
    run.fail("a")
    assert run.nodes["a"] == "failed", "the count survives the process"


def test_a_budget_of_nothing_is_no_retry() -> None:
    run = run_of("a", None, {"retry": _retry(), "resilience": rules(retryBudget=0)})
    run.fail("a")
    assert run.nodes["a"] == "failed"


def test_a_connection_that_takes_it_comes_before_the_policy_and_after_the_fallbacks() -> None:
    run = run_of("a -fail-> b", None, {"failure_policy": "fail_fast"})
    run.fail("a")
    assert fate(run, "a") == ("continue", "a connection took it") and run.status == "running"


def test_a_condition_that_raises_is_decided_as_a_failure_of_its_node() -> None:
    run = run_of("a -[1 / 0]-> b; c", None, {"failure_policy": "fail_fast"})
    run.finish("a")
    event = next(event for event in run.events if isinstance(event, ev.RoutingFailed))
    assert (event.decision, event.rule) == ("terminate", "failurePolicy fail_fast of the workflow")
    assert run.status == "failed" and run.nodes["c"] == "cancelled"
    run = run_of("a -[1 / 0]-> b; c", None, {"failure_policy": "partial_success"})
    run.finish("a")
    run.finish("c")
    assert (run.status, run.instance.reason) == ("partial_success", "a failed, which the failure policy lets stand")


def test_both_the_failure_and_a_condition_of_it_are_decided() -> None:
    run = run_of("a -fail[1 / 0]-> b; c", None, {"failure_policy": "fail_fast"})
    run.fail("a")
    assert names_of_failures(run) == [("NodeFailed", "terminate"), ("RoutingFailed", "terminate")]
    assert run.status == "failed"


def names_of_failures(run: Run) -> list[tuple[str, str]]:
    """The failures of a run, each with its decision."""
    kinds = (ev.NodeFailed, ev.RunFailed, ev.RoutingFailed)
    return [(type(event).__name__, event.decision) for event in run.events if isinstance(event, kinds)]


def test_each_run_is_decided_and_the_end_of_the_node_is_not() -> None:
    run = run_of("a -> c; b -> c", None, {"failure_policy": "partial_success"}, c={"join": {"kind": "each"}})
    run.finish("a")
    run.finish("b")
    run.fail("c")
    run.finish("c")
    assert names_of_failures(run) == [("RunFailed", "degrade"), ("NodeFailed", "")]
    assert run.status == "partial_success" and fate(run, "c")[0] == "degrade"


# -- what a policy of a node does (51)


def test_a_node_that_fails_fast_ends_the_instance_whatever_the_workflow_says() -> None:
    run = run_of("a; b", None, {"failure_policy": "partial_success"}, a=resilience(failurePolicy="fail_fast"))
    turn = run.fail("a")
    assert names(turn) == ["NodeFailed", "InstanceFailing", "NodesCancelled", "InstanceFailed"]
    assert run.state("b").reason == "a failed: failurePolicy fail_fast of node a"


def test_a_node_that_goes_on_spares_the_instance_that_fails_fast() -> None:
    run = run_of("a; b", None, {"failure_policy": "fail_fast"}, a=resilience(failurePolicy="continue"))
    run.fail("a")
    assert run.status == "running"
    run.finish("b")
    assert (run.status, run.instance.reason) == ("failed", "1 unhandled failure")


def test_in_a_body_terminate_ends_the_rest_of_that_body_and_the_block_is_decided_next() -> None:
    nodes = [{"id": "n", "type": "function", **resilience(failurePolicy="fail_fast")}, {"id": "m", "type": "function"}]
    loop = {"type": "forEach", "config": {"items": [1], "body": {"nodes": nodes}}}
    run = run_of("loop; b", None, {"failure_policy": "partial_success"}, loop=loop)
    turn = run.fail("loop[0].n")
    assert names(turn) == ["NodeFailed", "NodesCancelled", "ScopeEnded", "NodeFailed"]
    assert [event.decision for event in turn.events if isinstance(event, ev.NodeFailed)] == ["terminate", "degrade"]
    run.finish("b")
    assert run.status == "partial_success"


def test_a_failure_of_a_fallback_is_its_owners_matter() -> None:
    run = run_of("a; b", None, {"failure_policy": "fail_fast"}, a=resilience(fallbackActions=[{"type": "x"}]))
    run.fail("a")
    turn = run.fail("a[0].x")
    assert turn.events[0].decision == "continue"
    assert turn.events[0].rule == "it stood in for another node, whose matter that is"
    assert fate(run, "a")[0] == "terminate" and run.status == "failed"


# -- the threshold (52)


def test_the_threshold_ends_the_instance_at_its_share_of_all_nodes() -> None:
    critical = resilience(isCritical=True)
    ids = [f"n{index}" for index in range(20)]
    workflow = {"failure_policy": "partial_success", "termination_threshold": 0.1}
    run = run_of("; ".join(ids), None, workflow, n0=critical, n1=critical, n2=critical)
    run.fail("n5")
    run.fail("n0")
    assert run.status == "running"
    run.fail("n1")
    rule = "terminationThreshold 0.1 of the workflow: 2 of 20 nodes are critical and failed"
    assert fate(run, "n1") == ("terminate", rule) and run.status == "failed"
    assert run.nodes["n2"] == "cancelled"


def test_the_threshold_is_exact_and_handled_failures_do_not_count() -> None:
    critical = resilience(isCritical=True)
    ids = [f"n{index}" for index in range(28)]
    workflow = {"failure_policy": "continue", "termination_threshold": 0.1}
    text = "; ".join(ids) + "; n0 -fail-> take; n0 -> rest"  # 30 nodes: 3 of them are a tenth
    run = run_of(text, None, workflow, **dict.fromkeys(ids[:4], critical))
    for id in ids[:3]:
        run.fail(id)
    assert run.status == "running", "one was handled"
    run.fail(ids[3])
    assert run.status == "failed"


def test_a_condition_of_a_critical_node_counts_and_nodes_off_the_graph_do_not() -> None:
    workflow = {"termination_threshold": 0.5}
    run = run_of(
        "a -[1 / 0]-> b; c; spare", None, workflow, a=resilience(isCritical=True), c={"fallbackNodeId": "spare"}
    )
    run.finish("a")
    assert run.status == "running", "1 of 3"
    run = run_of("a -[1 / 0]-> b; spare", None, workflow, a=resilience(isCritical=True), b={"fallbackNodeId": "spare"})
    run.finish("a")
    assert run.status == "failed", "1 of 2"


def test_failures_in_bodies_do_not_count() -> None:
    body = {"nodes": [{"id": "n", "type": "function", **resilience(isCritical=True)}]}
    loop = {"type": "forEach", "config": {"items": [1], "body": body, "onError": "collect"}}
    run = run_of("loop; b", None, {"termination_threshold": 0.1}, loop=loop)
    run.fail("loop[0].n")
    assert run.status == "running"
    run.finish("b")
    assert run.status == "completed"


# -- while the instance stands still (55)


def test_terminate_is_decided_at_once_and_carried_out_when_the_instance_goes_on() -> None:
    run = run_of("a; b; c", None, {"failure_policy": "partial_success"}, b=resilience(failurePolicy="fail_fast"))
    run.take(inputs.ParkInstance(reason="defect"))
    run.fail("a")
    run.fail("b", "Boom")
    assert fate(run, "b")[0] == "terminate" and run.status == "parked"
    run.take(inputs.ResumeInstance())
    assert run.status == "failed" and run.nodes["c"] == "cancelled"
    assert run.instance.reason == "b failed while the instance stood still"
    assert run.state("c").reason == "b failed: failurePolicy fail_fast of node b"


def test_in_a_body_too() -> None:
    strict = {"id": "n", "type": "function", **resilience(failurePolicy="fail_fast")}
    inner = {
        "id": "in",
        "type": "forEach",
        "config": {"items": [1], "body": {"nodes": [{"id": "x", "type": "function"}]}},
    }
    nodes = [strict, {"id": "m", "type": "function"}, inner]
    loop = {"type": "forEach", "config": {"items": [1, 2], "concurrency": 2, "body": {"nodes": nodes}}}
    run = run_of("loop; b", None, loop=loop)
    run.take(inputs.ParkInstance(reason="defect"))
    run.fail("loop[0].n")
    run.fail("loop[1].m")
    turn = run.take(inputs.ResumeInstance())
    cancelled = next(event for event in turn.events if isinstance(event, ev.NodesCancelled))
    assert cancelled.reason == ("loop[0].n failed while the instance stood still: failurePolicy fail_fast of node n")
    assert run.nodes == {"loop": "failed", "b": "running"}


# -- the end (53, 54, 59)


@pytest.mark.parametrize(
    ("workflow", "nodes", "failing", "status", "reason"),
    [
        (
            {"failure_policy": "partial_success"},
            {},
            "ab",
            "partial_success",
            "a, b failed, which the failure policy lets stand",
        ),
        ({"failure_policy": "continue"}, {}, "ab", "failed", "2 unhandled failures"),
        (
            {"failure_policy": "partial_success", "max_partial_failures": 1},
            {},
            "ab",
            "failed",
            "2 unhandled failures: a, b; more than maxPartialFailures 1 of the workflow",
        ),
        (
            {"failure_policy": "partial_success"},
            {"a": resilience(isCritical=True)},
            "ab",
            "failed",
            "2 unhandled failures: a (critical), b; isCritical true of node a",
        ),
        (
            {"failure_policy": "partial_success", "critical_step_ratio": 0.5},
            {"a": resilience(isCritical=True), "c": resilience(isCritical=True)},
            "ab",
            "partial_success",
            "a (critical), b failed, which the failure policy lets stand",
        ),
        (
            {"failure_policy": "partial_success", "critical_step_ratio": 0.75},
            {"a": resilience(isCritical=True), "c": resilience(isCritical=True)},
            "a",
            "failed",
            "1 unhandled failure: a (critical); "
            "1 of 2 critical nodes did not fail, less than criticalStepRatio 0.75 of the workflow",
        ),
        (
            {"critical_step_ratio": 0},
            {"a": resilience(isCritical=True, failurePolicy="partial_success")},
            "a",
            "failed",
            "1 unhandled failure: a (critical); isCritical true of node a",
        ),
        ({}, {"a": resilience(failurePolicy="graceful_degradation")}, "a", "partial_success", None),
        (
            {},
            {"a": resilience(failurePolicy="graceful_degradation")},
            "ab",
            "failed",
            "2 unhandled failures: a, b; continue, the default",
        ),
        (
            {"failure_policy": "partial_success"},
            {"a": resilience(failurePolicy="continue")},
            "a",
            "partial_success",
            None,
        ),
        ({"resilience": rules(defaultFailurePolicy="partial_success", maxPartialFailures=0)}, {}, "a", "failed", None),
    ],
)
def test_the_end(workflow: Any, nodes: Any, failing: str, status: str, reason: str | None) -> None:
    run = run_of("a; b; c", None, workflow, **nodes)
    for id in "abc":
        run.fail(id) if id in failing else run.finish(id, id)
    assert run.status == status
    assert reason is None or run.instance.reason == reason


def test_many_failures_are_not_all_named() -> None:
    ids = [f"n{index}" for index in range(8)]
    run = run_of("; ".join(ids), None, {"failure_policy": "partial_success"})
    for id in ids:
        run.fail(id)
    assert run.instance.reason == "n0, n1, n2, n3, n4 and 3 more failed, which the failure policy lets stand"


def test_a_partial_success_has_the_output_of_a_success_or_is_none() -> None:
    workflow = {"failure_policy": "partial_success", "output": {"b": "${ nodes.b.output }", "a": "${ nodes.a.failed }"}}
    run = run_of("a; b", None, workflow)
    run.fail("a")
    run.finish("b", 5)
    assert (run.status, run.output) == ("partial_success", {"b": 5, "a": True})
    run = run_of("a; b", None, {**workflow, "output": "${ nodes.b.output / 0 }"})
    run.fail("a")
    run.finish("b", 5)
    assert run.status == "failed" and "output mapping" in run.instance.reason


def test_a_degraded_node_beside_a_failure_is_a_partial_success() -> None:
    a = resilience(fallbackActions=[{"type": "x"}])
    run = run_of("a; b", None, {"failure_policy": "partial_success"}, a=a)
    run.fail("a")
    run.finish("a[0].x")
    run.fail("b")
    assert run.status == "partial_success" and run.instance.degraded == 1


# -- an oracle of its own: who decides what, and how it ends, worked out from the rules alone

POLICIES = [None, "continue", "fail_fast", "partial_success", "graceful_degradation"]
SHARES = st.sampled_from([None, 0, 0.1, 0.25, 0.5, 0.75, 1])


@st.composite
def cases(draw: Any) -> tuple[dict[str, Any], list[dict[str, Any]], list[int]]:
    """A workflow, its nodes, and which of them fail, in this order."""
    count = draw(st.integers(1, 8))
    nodes = [
        {
            "policy": draw(st.sampled_from(POLICIES)),
            "critical": draw(st.sampled_from([None, True, False])),
            "impact": draw(st.sampled_from([None, "critical", "minor"])),
            "tag": draw(st.sampled_from([None, "t"])),
        }
        for _ in range(count)
    ]
    whole = {
        "policy": draw(st.sampled_from(POLICIES)),
        "default": draw(st.sampled_from(POLICIES)),
        "most": draw(st.sampled_from([None, 0, 1, 3])),
        "file_most": draw(st.sampled_from([None, 2])),
        "ratio": draw(SHARES),
        "threshold": draw(SHARES),
        "tagged": draw(st.sampled_from(POLICIES)),
        "tagged_critical": draw(st.sampled_from([None, True, False])),
    }
    failing = draw(st.lists(st.integers(0, count - 1), unique=True))
    return whole, nodes, failing


def plan_of(whole: dict[str, Any], nodes: list[dict[str, Any]]) -> Plan:
    """The same as a plan."""
    step = {"failurePolicy": whole["tagged"], "isCritical": whole["tagged_critical"]}
    spec = {
        "defaultFailurePolicy": whole["default"],
        "maxPartialFailures": whole["file_most"],
        "stepPolicies": {"t": {key: value for key, value in step.items() if value is not None}},
    }
    document = {
        "id": "w",
        "nodes": [
            {
                "id": f"n{index}",
                "type": "function",
                "tags": [node["tag"]] if node["tag"] else [],
                "resilience": {
                    key: value
                    for key, value in (
                        ("failurePolicy", node["policy"]),
                        ("isCritical", node["critical"]),
                        ("failureImpact", node["impact"]),
                    )
                    if value is not None
                },
            }
            for index, node in enumerate(nodes)
        ],
        "failurePolicy": whole["policy"],
        "maxPartialFailures": whole["most"],
        "criticalStepRatio": whole["ratio"],
        "terminationThreshold": whole["threshold"],
        "resilience": {key: value for key, value in spec.items() if value is not None},
    }
    return Plan(msgspec.convert({key: value for key, value in document.items() if value is not None}, Workflow), "v1")


def expected(whole: dict[str, Any], nodes: list[dict[str, Any]], failing: list[int]) -> tuple[list[str], str]:
    """The decisions on the failures that happen, and the status at the end."""
    lenient = ("partial_success", "graceful_degradation")
    of_all = whole["policy"] or whole["default"] or "continue"

    def policy(node: dict[str, Any]) -> str:
        return str(node["policy"] or (whole["tagged"] if node["tag"] else None) or of_all)

    def critical(node: dict[str, Any]) -> bool:
        for said in (node["critical"], whole["tagged_critical"] if node["tag"] else None):
            if said is not None:
                return bool(said)
        return node["impact"] == "critical"

    decisions: list[str] = []
    failed: list[dict[str, Any]] = []
    for index in failing:
        node = nodes[index]
        failed.append(node)
        bad = sum(critical(one) for one in failed)
        if policy(node) == "fail_fast" or (
            whole["threshold"] is not None and bad and Fraction(bad, len(nodes)) >= Fraction(str(whole["threshold"]))
        ):
            return [*decisions, "terminate"], "failed"
        decisions.append("degrade" if policy(node) in lenient and not critical(node) else "continue")
    if not failed:
        return decisions, "completed"
    most = whole["most"] if whole["most"] is not None else whole["file_most"]
    if most is not None and len(failed) > most:
        return decisions, "failed"
    all_critical = [node for node in nodes if critical(node)]
    held = sum(all(node is not one for one in failed) for node in all_critical)
    spared = (
        whole["ratio"] is not None
        and of_all in lenient
        and bool(all_critical)
        and Fraction(held, len(all_critical)) >= Fraction(str(whole["ratio"]))
    )
    for node in failed:
        if (critical(node) and not spared) or (policy(node) not in lenient and of_all not in lenient):
            return decisions, "failed"
    return decisions, "partial_success"


@pytest.mark.apart
@settings(max_examples=400, deadline=None)
@given(cases())
def test_decisions_and_ends_are_those_of_the_oracle(case: Any) -> None:
    whole, nodes, failing = case
    run = Run(plan_of(whole, nodes))
    run.start()
    for index in failing:
        if run.status == "running" and run.nodes[f"n{index}"] == "running":
            run.fail(f"n{index}")
    for index in range(len(nodes)):
        if run.nodes[f"n{index}"] == "running":
            run.finish(f"n{index}")
    decisions = [event.decision for event in run.events if isinstance(event, ev.NodeFailed)]
    assert (decisions, run.status) == expected(whole, nodes, failing)
    assert all(event.rule for event in run.events if isinstance(event, ev.NodeFailed))

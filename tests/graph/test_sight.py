"""What expressions see: nodes that have run, and the words of the loop around."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from mainspring.graph.check import inspect_text
from mainspring.graph.order import Order, steps_max


def found(*nodes: str, rest: str = "") -> list[tuple[str, str]]:
    text = "id: w\nnodes:\n" + "".join(f"- {{{node}}}\n" for node in nodes) + rest
    return [(one.code, f"{one.message}; {one.hint}") for one in inspect_text(text)[1]]


def say(id: str, what: str, after: str = "") -> str:
    return f"id: {id}, type: log, input: '${{ {what} }}'" + (f", dependsOn: [{after}]" if after else "")


def within(kind: str, *nodes: str, id: str = "l", after: str = "", output: str = "") -> str:
    told = {"forEach": "items: 3", "while": "condition: value", "until": "condition: value", "mutex": "name: m"}[kind]
    listed = ", ".join(f"{{{node}}}" for node in nodes)
    body = f"body: {{nodes: [{listed}]" + (f", output: '${{ {output} }}'" if output else "") + "}"
    return f"id: {id}, type: {kind}, config: {{{told}, {body}}}" + (f", dependsOn: [{after}]" if after else "")


# -- what has run before


def test_a_node_sees_those_before_it() -> None:
    assert found(say("a", "1"), say("b", "nodes.a.output", "a"), say("c", "nodes.a.output", "b")) == []
    told = found(say("a", "nodes.b.output"), say("b", "1", "a"))
    assert [code for code, _ in told] == ["MS264"]
    assert "`b` comes after `a`; nothing comes before it" in told[0][1]


def test_one_beside_it_may_have_run_or_not() -> None:
    ((code, said),) = found(say("a", "1"), say("b", "1", "a"), say("c", "nodes.b.output", "a"))
    assert code == "MS264"
    assert "nothing says that `b` runs before `c`; right before it comes `a`" in said and "dependsOn: [b]" in said


def test_not_even_itself() -> None:
    assert "the node itself" in found(say("a", "nodes.a.output"))[0][1]


def test_a_condition_sees_the_source() -> None:
    nodes = [say("a", "1"), say("b", "1"), say("c", "1")]
    edge = "connections:\n- {source: a, target: b, condition: nodes.a.output.x}\n"
    assert found(*nodes, rest=edge) == []
    assert [code for code, _ in found(*nodes, rest=edge.replace("nodes.a", "nodes.b"))] == ["MS264"]


def test_a_milestone_comes_after_what_it_waits_for() -> None:
    stone = "id: m, type: milestone, config: {after: a}"
    edge = "connections:\n- {source: m, target: c, sourcePort: open}\n"
    assert found(say("a", "1"), stone, say("c", "nodes.a.output"), rest=edge) == []


def test_the_output_sees_all_of_them() -> None:
    assert found(say("a", "1"), say("b", "1"), rest="output: ${ nodes.b.output + nodes.a.output }\n") == []


def test_nodes_off_the_graph_may_look_at_anything_and_be_looked_at() -> None:
    undo = say("undo", "nodes.a.output + nodes.b.output")
    assert found("id: a, type: log, compensationNodeId: undo", say("b", "nodes.undo.output", "a"), undo) == []


def test_where_nodes_run_several_times_nobody_knows() -> None:
    each = "id: c, type: log, join: each, dependsOn: [a, b], input: '${ nodes.d.output }'"
    assert found(say("a", "1"), say("b", "1"), each, say("d", "1", "c")) == []


def test_a_body_sees_what_is_before_its_block() -> None:
    inner = say("x", "nodes.a.output")
    assert found(say("a", "1"), within("mutex", inner, after="a"), say("z", "1", "l")) == []
    assert found(say("a", "1"), within("mutex", within("mutex", inner, id="m"), after="a")) == []
    ((code, said),) = found(say("b", "1", "l"), within("mutex", say("x", "nodes.b.output")))
    assert code == "MS264" and "`b` comes after `l`" in said
    ((code, said),) = found(within("mutex", say("x", "nodes.l.output")))
    assert code == "MS264" and "the node itself" in said


def test_a_bodys_output_sees_all_of_the_body_and_what_is_before_its_block() -> None:
    body = within("mutex", say("x", "1"), say("y", "1"), after="a", output="nodes.y.output + nodes.a.output")
    assert found(say("a", "1"), body) == []
    body = within("mutex", say("x", "1"), output="nodes.a.output")
    assert [code for code, _ in found(say("a", "1"), body)] == ["MS264"]


def test_the_innermost_node_of_a_name_is_meant() -> None:
    assert found(say("a", "1"), within("mutex", say("a", "1"), say("y", "nodes.a.output", "a"))) == []


def test_what_is_in_a_body_is_seen_only_there() -> None:
    ((code, said),) = found(within("mutex", say("x", "1")), say("z", "nodes.x.output", "l"))
    assert code == "MS214" and "it is in a body of `l` and seen only there" in said
    ((code, said),) = found("id: l, type: until, config: {condition: nodes.x.output, body: [{id: x, type: log}]}")
    assert code == "MS214" and "in a body of `l`" in said


# -- loops


@pytest.mark.parametrize("word", ["item", "index", "loop.count"])
def test_a_loops_words_need_a_loop(word: str) -> None:
    assert [code for code, _ in found(say("a", word))] == ["MS263"]
    assert [code for code, _ in found(within("mutex", say("x", word)))] == ["MS263"]
    assert found(within("forEach", say("x", word))) == []
    assert found(within("forEach", within("mutex", say("x", word), id="m"))) == []


def test_a_while_has_no_item() -> None:
    ((code, said),) = found(within("while", say("x", "item.id")))
    assert code == "MS263" and "of the kind while" in said and "`loop.state`" in said
    assert found(within("until", say("x", "loop.state + index + loop.outer.item"))) == []
    nested = within("forEach", within("while", say("x", "item"), id="m"))
    assert [code for code, _ in found(nested)] == ["MS263"]


def test_a_loops_own_config_sees_the_loop_around() -> None:
    body = "body: [{id: x, type: log}]"
    assert [code for code, _ in found(f"id: l, type: forEach, config: {{items: item.lines, {body}}}")] == ["MS263"]
    inner = f"id: m, type: forEach, config: {{items: item.lines, {body}}}"
    assert found(within("forEach", inner)) == []
    assert [code for code, _ in found(f"id: l, type: until, config: {{condition: item, {body}}}")] == ["MS263"]


def test_a_loop_has_five_things_to_tell() -> None:
    ((code, said),) = found(within("forEach", say("x", "loop.indx")))
    assert code == "MS263" and "`loop` has no `indx`" in said and "count, index, item, outer, state" in said


def test_items_of_a_transform_are_its_own() -> None:
    assert found("id: a, type: transform, config: {map: {items: input.rows, as: '${ item.x + index }'}}") == []
    told = found("id: a, type: transform, config: {map: {items: item.rows, as: 1}}")
    assert [code for code, _ in told] == ["MS263"]


# -- cost


def test_far_away_is_found_too() -> None:
    names = [f"n{number}" for number in range(200)]
    order = Order(list(pairwise(names)))
    assert order.precedes("n0", "n199") is True and order.precedes("n150", "n199") is True
    assert order.precedes("n199", "n0") is False and order.precedes("n3", "n3") is False
    beside = Order([*pairwise(names), ("n0", "x")])
    assert beside.precedes("x", "n199") is False and beside.precedes("n0", "x") is True


def test_the_order_is_looked_for_within_bounds() -> None:
    size = 2_000
    names = [f"n{number}" for number in range(size)]
    order = Order(list(pairwise(names)))
    began = time.process_time()
    answers = [order.precedes(names[number], names[size - 1 - number]) for number in range(size)]
    assert answers[0] is True and None in answers
    assert time.process_time() - began < 3, steps_max

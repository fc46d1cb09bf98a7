"""Whatever the model holds comes back: from YAML, from JSON, from the canonical bytes."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.definition import model
from mainspring.definition.canonical import content_hash, decode, encode, to_json, to_yaml
from mainspring.definition.load import read_text

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    [
        "yes",
        "on",
        "1e5",
        "0o17",
        "09",
        "null",
        "~",
        "=",
        "<<",
        "1:30",
        "- a",
        "a: b",
        " x ",
        "a\nb\n",
        "#",
        "!t",
        "\u2028",
    ]
)
json_values: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=3)
numbers = st.floats(0, 1e6)
retries = st.builds(
    model.Retry,
    strategy=st.sampled_from(["none", "fixed", "linear", "exponential"]),
    max_attempts=st.integers(1, 10),
    initial_delay=st.integers(0, 10**7),
    jitter=st.floats(0, 1),
    multiplier=st.just(2) | numbers,
    retry_on=st.lists(texts, max_size=2).map(tuple),
)
nodes = st.builds(
    model.Node,
    id=texts,
    type=st.sampled_from(["log", "transform", "http", "custom"]),
    config=objects,
    input=json_values,
    timeout=st.none() | st.integers(0, 10**9),
    retry=st.none() | retries,
    join=st.none() | st.builds(model.Join, kind=st.sampled_from(["all", "any"]), cancel_others=st.booleans()),
    cache=st.none() | st.builds(model.Cache, key=st.none() | texts, ttl=st.integers(1, 10**9)),
    rate_limit=st.none() | st.builds(model.RateLimit, rate=st.just(5) | numbers, per=st.integers(1, 10**6)),
    position=st.none() | st.builds(model.Position, x=st.just(0) | st.integers(-9, 9) | numbers, y=numbers),
    depends_on=st.lists(texts, max_size=2).map(tuple),
)
workflows = st.builds(
    model.Workflow,
    id=texts,
    nodes=st.lists(nodes, max_size=3).map(tuple),
    connections=st.lists(
        st.builds(
            model.Connection,
            source=texts,
            target=texts,
            trigger=st.sampled_from(["complete", "fail", "all"]),
            condition=st.none() | texts,
        ),
        max_size=2,
    ).map(tuple),
    name=st.none() | texts,
    version=st.none() | texts | st.integers(0, 99),
    variables=objects,
    output=json_values,
    quotas=st.none() | st.builds(model.Resources, cpu=numbers),
    metadata=objects.map(lambda value: {key: item for key, item in value.items() if key != "tags"}),
)


def exactly(value: Any) -> bytes:
    """1, 1.0 and true are equal in Python but not here."""
    return msgspec.json.encode(value, order="sorted")


@pytest.mark.apart
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflows)
def test_round_trips(workflow: model.Workflow) -> None:
    data = encode(workflow)
    assert decode(data) == workflow
    assert encode(decode(data)) == data
    for text, form in ((to_yaml(workflow), "yaml"), (to_json(workflow), "json")):
        reading = read_text(text, form=form)  # type: ignore[arg-type]
        assert [one for one in reading.findings if one.code != "MS110"] == []
        assert reading.workflow is not None
        assert encode(reading.workflow) == data
        assert exactly(reading.workflow.variables) == exactly(workflow.variables)


def test_canonical_is_a_function_of_the_value() -> None:
    built = model.Workflow(
        id="w", nodes=(model.Node(id="a", type="log", retry=model.Retry(multiplier=2, max_delay=60_000)),)
    )
    read = read_text("nodes: [{type: log, id: a, retry: {maxDelay: 1m, multiplier: 2.0}}]\nid: w\n").workflow
    assert read is not None and encode(read) == encode(built)
    assert content_hash(encode(built)) == content_hash(encode(read)) and len(content_hash(b"")) == 32
    assert encode(built) == b'{"id":"w","nodes":[{"id":"a","retry":{},"type":"log"}]}'


def test_yaml_writes_durations_as_people_do() -> None:
    node = model.Node(id="a", type="log", timeout=90_000, retry=model.Retry(initial_delay=250))
    text = to_yaml(model.Workflow(id="w", nodes=(node,), timeout=7_200_000))
    assert "timeout: 90s" in text and "initialDelay: 250ms" in text and "timeout: 2h" in text


def test_the_order_of_named_policies_is_kept() -> None:
    """The first that matches a node holds, after a restart too."""
    steps = {name: model.StepPolicy(match=("t",), is_critical=name == "z") for name in ("z", "a")}
    built = model.Workflow(
        id="w", nodes=(model.Node(id="n", type="log"),), resilience=model.ResilienceSpec(step_policies=steps)
    )
    kept = decode(encode(built)).resilience
    assert kept is not None and list(kept.step_policies) == ["z", "a"]
    assert encode(decode(encode(built))) == encode(built)
    for text in (to_json(built), to_yaml(built)):
        assert text.index("z") < text.index("a:") if "a:" in text else text.index('"z"') < text.index('"a"')

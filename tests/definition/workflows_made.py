"""Workflows that say everything that a definition can say, made by Hypothesis; each is one that could be loaded."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from mainspring.definition import model

tricky = st.sampled_from(
    [
        *("yes", "on", "1e5", "0o17", "09", "null", "~", "=", "<<", "1:30", "- a", "a: b", " x ", "a\nb\n", "#", "!t"),
        *("\u2028", "\u0085", "'", '"', "\\n", "\t", "${ input.x }", "Grüße 😀", "x" * 200, "%", "@", "`", "a #b", ""),
    ]
)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | tricky
words = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
plain_texts = texts.filter(lambda text: "${" not in text)
json_values: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_texts, inner, max_size=3),
    max_leaves=3,
)
objects = st.dictionaries(plain_texts, json_values, max_size=3)
amounts = st.integers(0, 9) | st.floats(0, 1e6)
shares = st.sampled_from([0, 1]) | st.floats(0, 1)
durations = st.integers(0, 10**10)
names = st.lists(words, max_size=2, unique=True).map(tuple)
policies = st.sampled_from(get_args(model.FailurePolicy))
flags = st.booleans()


def maybe(strategy: Any) -> Any:
    return st.none() | strategy


retries = st.builds(
    model.Retry,
    strategy=st.sampled_from(["none", "fixed", "linear", "exponential"]),
    max_attempts=st.integers(1, 10),
    initial_delay=durations,
    max_delay=durations,
    multiplier=st.just(2) | st.floats(1, 1000),
    jitter=shares,
    retry_on=names,
    do_not_retry_on=names,
)
actions = st.builds(
    model.FallbackAction, type=words, config=st.dictionaries(words.map("x".__add__), json_values, max_size=2)
)
resiliences = st.builds(
    model.Resilience,
    policy=maybe(words),
    failure_policy=maybe(policies),
    is_critical=maybe(flags),
    failure_impact=maybe(st.sampled_from(get_args(model.FailureImpact))),
    fallback_actions=st.lists(actions, max_size=2).map(tuple),
    compensate_failed=flags,
    compensate_in_doubt=flags,
)
breakers = st.builds(
    model.CircuitBreaker,
    target=maybe(texts),
    failure_threshold=shares,
    minimum_throughput=st.integers(1, 99),
    open_for=durations,
    half_open_successes=st.integers(1, 99),
    window=maybe(st.integers(99, 10_000)),
    window_time=maybe(st.integers(1, 10**6)),
    slow_call=durations,
    slow_call_threshold=maybe(shares),
    canary=flags,
    retry_ratio=maybe(shares),
)
rates = st.builds(
    model.RateLimit,
    rate=st.integers(1, 9) | st.floats(1, 99),
    per=st.integers(1, 10**6),
    burst=maybe(st.integers(1, 9)),
)
resources = st.builds(model.Resources, cpu=amounts, memory=amounts, io=amounts)
caches = st.builds(model.Cache, key=maybe(st.just("${ input.id }") | plain_texts), ttl=st.integers(1, 10**9))
schemas = st.sampled_from([{}, {"type": "object"}, {"type": "object", "properties": {"x": {"type": "string"}}}])
step_policies = st.builds(
    model.StepPolicy,
    match=names,
    failure_policy=maybe(policies),
    is_critical=maybe(flags),
    failure_impact=maybe(st.sampled_from(get_args(model.FailureImpact))),
    retry=maybe(retries),
    timeout=maybe(durations),
    fallback_actions=st.lists(actions, max_size=2).map(tuple),
    circuit_breaker=maybe(breakers),
    rate_limit=maybe(rates),
    compensate_failed=flags,
    compensate_in_doubt=flags,
)
specs = st.builds(
    model.ResilienceSpec,
    name=maybe(texts),
    default_failure_policy=maybe(policies),
    max_partial_failures=maybe(st.integers(0, 99)),
    critical_step_ratio=maybe(shares),
    termination_threshold=maybe(shares),
    retry=maybe(retries),
    retry_budget=maybe(st.integers(0, 99)),
    step_policies=st.dictionaries(words, step_policies, max_size=2),
)
positions = st.builds(model.Position, x=st.integers(-9, 9) | st.floats(-1e6, 1e6), y=amounts)
metadata = objects.map(lambda value: {key: item for key, item in value.items() if key != "tags"})


@st.composite
def node(draw: Any, id: str, before: list[str], depth: int) -> model.Node:
    """A node that may follow those before it, and may have bodies."""
    kinds = ["log", "trigger", "join", "http", "function", "wait"] + (["forEach", "while", "parallel"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    config = draw(objects)
    config = {f"x{key}": item for key, item in config.items()}
    if kind == "function":
        config["handler"] = "m:f"
    elif kind == "wait":
        config["signal"] = "go"
    elif kind == "parallel":
        config["branches"] = [body_tree(draw(body(depth - 1)))]
    elif kind in ("forEach", "while"):
        config["body"] = body_tree(draw(body(depth - 1)))
        config["items" if kind == "forEach" else "condition"] = "input.x"
    return model.Node(
        id=id,
        type=kind,
        name=draw(maybe(texts)),
        description=draw(maybe(texts)),
        config=config,
        input=draw(json_values),
        timeout=draw(maybe(durations)),
        retry=draw(maybe(retries)),
        resilience=draw(maybe(resiliences)),
        circuit_breaker=draw(maybe(breakers)),
        priority=draw(maybe(st.sampled_from(["high", "normal", "low"]))),
        max_concurrent_executions=draw(maybe(st.integers(1, 99))),
        pool=draw(maybe(texts)),
        adaptive=draw(flags),
        rate_limit=draw(maybe(rates)),
        resources=draw(maybe(resources)),
        cache=draw(maybe(caches)),
        join=draw(maybe(st.builds(model.Join, kind=st.just("all")))) if before else None,
        depends_on=tuple(draw(st.lists(st.sampled_from(before), max_size=2, unique=True))) if before else (),
        input_schema=draw(maybe(schemas)),
        output_schema=draw(maybe(schemas)),
        position=draw(maybe(positions)),
        tags=draw(names),
        metadata=draw(metadata),
    )


@st.composite
def graph(draw: Any, depth: int) -> tuple[tuple[model.Node, ...], tuple[model.Connection, ...]]:
    """Nodes, each of which may follow earlier ones; the last two are helpers off the graph."""
    ids = draw(st.lists(words, min_size=1, max_size=2, unique=True))
    nodes = [draw(node(id, ids[:at], depth)) for at, id in enumerate(ids)]
    connections = [
        model.Connection(
            source=ids[at],
            target=ids[at + 1],
            id=draw(maybe(st.just(f"e{at}"))),
            condition=draw(maybe(st.sampled_from(["true", "input.x > 3", "output.a == 'b' && !error"]))),
            trigger=draw(st.sampled_from(get_args(model.Trigger))),
            source_port=draw(maybe(words)),
        )
        for at in range(len(ids) - 1)
    ]
    if draw(flags):
        from msgspec.structs import replace

        nodes += [model.Node(id="UNDO", type="log"), model.Node(id="INSTEAD", type="log")]
        nodes[0] = replace(nodes[0], compensation_node_id="UNDO", fallback_node_id="INSTEAD")
        connections.append(model.Connection(source=ids[0], target="UNDO", is_compensation=True))
    return tuple(nodes), tuple(connections)


@st.composite
def body(draw: Any, depth: int) -> model.Body:
    nodes, connections = draw(graph(depth))
    return model.Body(nodes=nodes, connections=connections, output=draw(json_values), name=draw(maybe(words)))


def body_tree(made: model.Body) -> Any:
    from mainspring.definition.trees import plain_tree

    return plain_tree(made)


checkpoints = (  # each with what its policy needs
    st.builds(
        model.Checkpoint,
        policy=st.sampled_from(["each", "manual"]),
        count=maybe(st.integers(1, 99)),
        interval=maybe(durations),
    )
    | st.builds(model.Checkpoint, policy=st.just("count"), count=st.integers(1, 99), interval=maybe(durations))
    | st.builds(model.Checkpoint, policy=st.just("interval"), count=maybe(st.integers(1, 99)), interval=durations)
)
trigger_specs = st.builds(
    model.TriggerSpec,
    type=words,
    id=maybe(words),
    config=st.dictionaries(words.map("x".__add__), json_values, max_size=2),
)

invariants = st.builds(
    model.Invariant, expression=st.sampled_from(["status == 'completed'", "input.n > 1"]), name=maybe(texts)
)
checks = st.builds(model.Check, input=json_values, outputs=st.dictionaries(words, json_values, max_size=2))


@st.composite
def workflows(draw: Any) -> model.Workflow:
    nodes, connections = draw(graph(draw(st.integers(0, 2))))
    return model.Workflow(
        id=draw(words),
        nodes=nodes,
        connections=connections,
        name=draw(maybe(texts)),
        description=draw(maybe(texts)),
        version=draw(maybe(texts | st.integers(0, 99))),
        variables=draw(objects),
        input_schema=draw(maybe(schemas)),
        output=draw(json_values),
        output_schema=draw(maybe(schemas)),
        timeout=draw(maybe(durations)),
        max_concurrency=draw(maybe(st.integers(1, 99))),
        quotas=draw(maybe(resources)),
        retry=draw(maybe(retries)),
        retry_budget=draw(maybe(st.integers(0, 99))),
        failure_policy=draw(maybe(policies)),
        max_partial_failures=draw(maybe(st.integers(0, 99))),
        critical_step_ratio=draw(maybe(shares)),
        termination_threshold=draw(maybe(shares)),
        resilience=draw(maybe(specs)),
        compensation_scope=draw(maybe(st.sampled_from(["branch", "workflow"]))),
        compensate_on_cancel=draw(flags),
        checkpoint=draw(maybe(checkpoints)),
        defaults=draw(maybe(st.sampled_from(["none", "short"]))),
        triggers=draw(st.lists(trigger_specs, max_size=2).map(tuple)),
        invariants=draw(st.lists(invariants, max_size=2).map(tuple)),
        check=draw(maybe(checks)),
        tags=draw(names),
        metadata=draw(metadata),
    )

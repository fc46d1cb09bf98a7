"""The kinds of node that have bodies, and those that wait or stop, as `mainspring nodes` tells of them."""

from __future__ import annotations

from mainspring.cli.kind import PASSES, PRIMARY, TIMED, Kind
from mainspring.definition.kind_keys import KIND_KEYS
from mainspring.definition.vocabulary import node_type_choice

spelled = {name: words[1:] for name, words in node_type_choice.spelled.items()}


def _told(kind: str) -> dict[str, str]:
    return {name: key.meaning for name, key in KIND_KEYS[kind].items()}


BLOCK_KINDS = (
    Kind(
        "while",
        "flow",
        "a body, again and again while a condition holds; the state goes from pass to pass",
        _told("while"),
        "the state: the last pass's output, or what it began with; the list of the outputs with `collect`",
        TIMED,
        """
- id: pages
  type: while
  config:
    initial: {cursor: first}
    condition: value.cursor != null
    maxIterations: 200
    body:
      - {id: page, type: function, config: {handler: "shop:page"}, input: {cursor: "${ loop.state.cursor }"}}
""",
        spelled["while"],
    ),
    Kind(
        "until",
        "flow",
        "a body, again and again until a condition holds; one pass at least",
        _told("until"),
        "the state: the last pass's output; the list of the outputs with `collect`",
        TIMED,
        """
- id: poll
  type: until
  timeout: 2h
  config:
    condition: value.done || index >= 20
    body:
      - {id: ask, type: function, config: {handler: "orders:state"}, input: {order: "${ input.order }"}}
      - {id: patience, type: delay, config: {duration: 1m}, dependsOn: [ask]}
""",
        spelled["until"],
    ),
    Kind(
        "forEach",
        "flow",
        "a body, once for each item of a list, or each number of a range",
        _told("forEach"),
        "the list of the bodies' outputs, in the order of the items; {results, errors} with `collect` or `succeedAt`",
        TIMED,
        """
- id: lines
  type: forEach
  config:
    items: "${ input.lines }"
    concurrency: 5
    onError: collect
    body:
      - {id: book, type: function, config: {handler: "stock:book"}, input: {sku: "${ item.sku }", place: "${ index }"}}
- id: days
  type: forEach
  config: {range: {from: 1, to: 7}, body: [{id: day, type: log, config: {message: "day ${ item }"}}]}
""",
        spelled["forEach"],
    ),
    Kind(
        "parallel",
        "flow",
        "several bodies side by side",
        _told("parallel"),
        "the list of the branches' outputs, in their order; {results, errors} with `collect` or `succeedAt`",
        TIMED,
        """
- id: both
  type: parallel
  config:
    branches:
      - nodes: [{id: pack, type: log}, {id: label, type: log, dependsOn: [pack]}]
      - nodes: [{id: bill, type: log}]
""",
        spelled["parallel"],
    ),
    Kind(
        "race",
        "flow",
        "several bodies side by side, of which the first to complete counts; the others are stopped",
        _told("race"),
        "the output of the first",
        "the branch's `name`, or the primary output where it has none; `timeout` where the node has a timeout",
        """
- id: answer
  type: race
  config:
    branches:
      customer: [{id: reply, type: wait, config: {signal: reply}}]
      nobody: [{id: patience, type: delay, config: {duration: 2d}}]
""",
        spelled["race"],
    ),
    Kind(
        "subflow",
        "flow",
        "another workflow as one step, in an instance of its own; or a body, to keep things together",
        _told("subflow"),
        "that workflow's output, {instance: id} with `wait: false`, or the body's output",
        TIMED,
        """
- id: billing
  type: subflow
  config: {workflow: billing, version: "3"}
- id: checks
  type: subflow
  config: {body: [{id: stock, type: log}, {id: credit, type: log}]}
""",
        spelled["subflow"],
    ),
    Kind(
        "cancel",
        "flow",
        "stops other nodes of its graph: cancelled where under way, skipped where not begun; hands its input on",
        _told("cancel"),
        PASSES,
        PRIMARY,
        """
- id: stop
  type: cancel
  config: {nodes: [reminder]}
- id: reminder
  type: delay
  config: {duration: 2d}
""",
        spelled["cancel"],
    ),
    Kind(
        "delay",
        "time",
        "waits a time, or until a time, without holding anything; hands its input on",
        _told("delay"),
        PASSES,
        PRIMARY,
        """
- id: patience
  type: delay
  config: {duration: 2h}
- id: opening
  type: delay
  config: {until: "2027-01-01T09:00:00+01:00"}
""",
        spelled["delay"],
    ),
    Kind(
        "wait",
        "time",
        "waits for somebody, without holding anything: a signal, an event, or an approval",
        _told("wait"),
        "what came with it; {name, payload} where there is a list of names",
        "the primary output; with a list the name that came; of an approval `approved` (also yes) and `rejected` (also no); "
        "`timeout` where the node has a timeout",
        """
- id: paid
  type: wait
  timeout: 2d
  config: {signal: "paid-${ input.order }", schema: {type: object, required: [amount]}}
- id: reply
  type: wait
  config: {signal: [accepted, declined]}
- id: shipped
  type: wait
  config: {event: order.shipped, transient: false}
- id: release
  type: wait
  timeout: 5d
  config: {approval: release}
""",
        spelled["wait"],
    ),
    Kind(
        "mutex",
        "time",
        "a body that only one instance at a time may be in, in the order in which they asked",
        _told("mutex"),
        "the body's output",
        TIMED,
        """
- id: alone
  type: mutex
  config: {name: "stock-${ input.sku }", body: {nodes: [{id: book, type: log}]}}
""",
        spelled["mutex"],
    ),
    Kind(
        "milestone",
        "time",
        "a way that is open once one node completed, until another one has begun; waits for it to open",
        _told("milestone"),
        PASSES,
        "`open` and `closed`; nothing leaves without a sourcePort",
        """
- id: may-change
  type: milestone
  config: {after: paid, before: pack}
- id: paid
  type: log
- id: pack
  type: log
  dependsOn: [paid]
""",
    ),
)

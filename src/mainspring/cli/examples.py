"""For each code what is wrong, in the smallest workflow that has it, and the same mended. `explain` and the docs show them.

A test runs them all: the wrong one has its code and no other, the mended one has nothing to say.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

CONCEPTS = "docs/concepts.md#workflow-node-connection"
FAILURE = "docs/concepts.md#failure"
JOINS = "docs/semantics.md#c-tokens-and-joins"
ROUTING = "docs/semantics.md#routing"
UNDOING = "docs/semantics.md#d-compensation-fallback"
BLOCKS = "docs/semantics-blocks.md"
EXPRESSIONS = "docs/reference/expressions.md"
VALIDATE = "docs/reference/cli.md#mainspring-validate"
TROUBLE = "docs/troubleshooting.md"
CUSTOM = "docs/guides/custom-kinds.md"


class Example(NamedTuple):
    """`bad` and `mended` are files called `name`, programs in Python, or command lines; `files` lie beside them.

    `also` are the codes that always come with this one.
    """

    bad: str
    mended: str
    read: str
    name: str = "order.yaml"
    kind: Literal["file", "python", "command"] = "file"
    encoding: str = "utf-8"
    files: dict[str, str] = {}
    also: tuple[str, ...] = ()


def _yaml(text: str) -> str:
    from textwrap import dedent

    return dedent(text).lstrip("\n")


def _nodes(*lines: str) -> str:
    return "id: order\nnodes:\n" + "".join(f"  {line}\n" for line in lines)


def _custom(node: str) -> str:
    return _yaml(f"""
        import mainspring as ms

        @ms.node_kind("slack.post", config={{
            "type": "object",
            "properties": {{"channel": {{"type": "string"}}}},
            "required": ["channel"],
            "additionalProperties": False,
        }})
        async def post(config, input):
            ...

        ms.Workflow("order", nodes=[{node}])
    """)


def _plugin(type: str) -> str:
    return f'import mainspring as ms\n\nms.Workflow("order", nodes=[ms.Node("tell", "{type}")])\n'


PLAIN = _nodes("- {id: charge, type: log}")
TWO = _nodes("- {id: charge, type: log}", "- {id: ship, type: log}")
THREE = _nodes("- {id: charge, type: log}", "- {id: pack, type: log}", "- {id: ship, type: log}")
PAID = "connections:\n  - {source: paid, target: ship, sourcePort: open}\n"
BOMB = (
    PLAIN
    + "variables:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"  {name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcde", "bcdef", strict=True)
    )
)
CHARGE = "def charge(amount: float) -> dict:\n    return {'paid': amount}\n"


def _function(text: str) -> str:
    return _nodes("- id: charge", "  type: function", *(f"  {line}" for line in text.splitlines()))


def _nested(depth: int) -> str:
    inner = "[{id: charge, type: log}]"
    for level in range(depth):
        inner = f"[{{id: lock-{level}, type: mutex, config: {{name: stock, body: {inner}}}}}]"
    return f"id: order\nnodes: {inner}\n"


EXAMPLES: dict[str, Example] = {
    "MS001": Example(
        "mainspring validate ordr.yaml",
        "mainspring validate order.yaml",
        TROUBLE,
        kind="command",
        files={"order.yaml": PLAIN},
    ),
    "MS002": Example(BOMB, PLAIN + "variables:\n  a: [x, x, x]\n", TROUBLE),
    "MS003": Example(PLAIN + "name: Grüße\n", PLAIN + "name: Grüße\n", TROUBLE, encoding="latin-1"),
    "MS004": Example(PLAIN + "name: Order: the first\n", PLAIN + 'name: "Order: the first"\n', TROUBLE),
    "MS005": Example(
        PLAIN + "variables:\n  deep: " + "[" * 101 + "]" * 101 + "\n", PLAIN + "variables:\n  deep: [[[]]]\n", TROUBLE
    ),
    "MS006": Example(PLAIN + "timeout: 10s\ntimeout: 20s\n", PLAIN + "timeout: 20s\n", CONCEPTS),
    "MS007": Example(
        PLAIN + "variables:\n  when: !date 2025-01-31\n", PLAIN + "variables:\n  when: 2025-01-31\n", CONCEPTS
    ),
    "MS008": Example(PLAIN + "variables:\n  limit: .inf\n", PLAIN + "variables:\n  limit: 1.0e+300\n", CONCEPTS),
    "MS101": Example(_nodes("- {id: charge}"), PLAIN, CONCEPTS),
    "MS102": Example(PLAIN + "name: 5\n", PLAIN + 'name: "5"\n', CONCEPTS),
    "MS103": Example(
        _nodes("- {id: charge, type: log, retry: {strategy: exponentail}}"),
        _nodes("- {id: charge, type: log, retry: {strategy: exponential}}"),
        FAILURE,
    ),
    "MS104": Example(PLAIN + "descripton: Takes the money.\n", PLAIN + "description: Takes the money.\n", CONCEPTS),
    "MS105": Example(PLAIN + "timeout: 5 parsecs\n", PLAIN + "timeout: 5m\n", CONCEPTS),
    "MS106": Example(_nodes("- {id: charge, type: log, nodeType: log}"), _nodes("- {id: charge, type: log}"), CONCEPTS),
    "MS107": Example(PLAIN + "version: 1.10\n", PLAIN + 'version: "1.10"\n', CONCEPTS),
    "MS108": Example(
        _yaml("""
            import mainspring as ms

            wf = ms.Workflow("order", nodes=[ms.Node("charge", "log")], variables={"sizes": {1, 2}})
            ms.run(wf)
            """),
        _yaml("""
            import mainspring as ms

            wf = ms.Workflow("order", nodes=[ms.Node("charge", "log")], variables={"sizes": [1, 2]})
            ms.run(wf)
            """),
        CONCEPTS,
        name="order.py",
        kind="python",
    ),
    "MS109": Example(
        "mainspring run rules.yaml",
        "mainspring run order.yaml",
        FAILURE,
        kind="command",
        files={"order.yaml": PLAIN, "rules.yaml": "kind: WorkflowResilienceConfig\nspec: {retryBudget: 3}\n"},
    ),
    "MS110": Example(
        _nodes("- {id: go, type: wait, config: {signal: go}, timeout: 10}"),
        _nodes("- {id: go, type: wait, config: {signal: go}, timeout: 10s}"),
        CONCEPTS,
    ),
    "MS201": Example("id: order\nnodes: []\n", PLAIN, CONCEPTS),
    "MS202": Example(_nodes("- {id: charge.card, type: log}"), _nodes("- {id: charge-card, type: log}"), CONCEPTS),
    "MS203": Example(
        _nodes("- {id: charge, type: log}", "- {id: charge, type: log}"),
        _nodes("- {id: charge, type: log}", "- {id: charge-again, type: log}"),
        CONCEPTS,
    ),
    "MS204": Example(
        THREE
        + "connections:\n  - {id: then, source: charge, target: pack}\n  - {id: then, source: pack, target: ship}\n",
        THREE
        + "connections:\n  - {id: then, source: charge, target: pack}\n  - {id: last, source: pack, target: ship}\n",
        CONCEPTS,
    ),
    "MS205": Example(
        _nodes("- {id: wait, type: dealy, config: {duration: 1s}}"),
        _nodes("- {id: wait, type: delay, config: {duration: 1s}}"),
        CONCEPTS,
    ),
    "MS206": Example(
        TWO + "connections:\n  - {source: charge, target: shp}\n",
        TWO + "connections:\n  - {source: charge, target: ship}\n",
        CONCEPTS,
    ),
    "MS207": Example(
        _nodes("- {id: charge, type: log}", "- {id: ship, type: log, dependsOn: [chrage]}"),
        _nodes("- {id: charge, type: log}", "- {id: ship, type: log, dependsOn: [charge]}"),
        CONCEPTS,
    ),
    "MS208": Example(
        TWO + "connections:\n  - {source: charge, target: charge}\n",
        TWO + "connections:\n  - {source: charge, target: ship}\n",
        CONCEPTS,
    ),
    "MS209": Example(
        THREE
        + "connections:\n  - {source: charge, target: pack}\n  - {source: pack, target: ship}\n"
        + "  - {source: ship, target: pack}\n",
        THREE + "connections:\n  - {source: charge, target: pack}\n  - {source: pack, target: ship}\n",
        CONCEPTS,
    ),
    "MS210": Example(
        TWO + "connections:\n  - {source: charge, target: ship}\n  - {source: ship, target: charge}\n",
        TWO + "connections:\n  - {source: charge, target: ship}\n",
        CONCEPTS,
        also=("MS209",),
    ),
    "MS211": Example(
        _nodes(
            "- {id: start, type: log}",
            "- {id: a, type: log, dependsOn: [b]}",
            "- {id: b, type: log, dependsOn: [a]}",
            "- {id: report, type: log, dependsOn: [b]}",
        ),
        _nodes(
            "- {id: start, type: log}",
            "- {id: a, type: log, dependsOn: [start]}",
            "- {id: b, type: log, dependsOn: [a]}",
            "- {id: report, type: log, dependsOn: [b]}",
        ),
        CONCEPTS,
        also=("MS209",),
    ),
    "MS212": Example(
        TWO + "connections:\n  - {source: charge, target: ship, condition: outptu.amount > 3}\n",
        TWO + "connections:\n  - {source: charge, target: ship, condition: output.amount > 3}\n",
        EXPRESSIONS,
    ),
    "MS213": Example(
        _nodes("- id: charge", "  type: log", "  input: ${ input.amount + }"),
        _nodes("- id: charge", "  type: log", "  input: ${ input.amount + 1 }"),
        EXPRESSIONS,
    ),
    "MS214": Example(
        TWO + "connections:\n  - {source: charge, target: ship, condition: nodes.chrage.output.paid}\n",
        TWO + "connections:\n  - {source: charge, target: ship, condition: nodes.charge.output.paid}\n",
        EXPRESSIONS,
    ),
    "MS215": Example(
        _nodes("- {id: charge, type: log, compensationNodeId: refnd}", "- {id: refund, type: log}"),
        _nodes("- {id: charge, type: log, compensationNodeId: refund}", "- {id: refund, type: log}"),
        UNDOING,
    ),
    "MS216": Example(
        _nodes(
            "- {id: order, type: log}",
            "- {id: charge, type: log, fallbackNodeId: invoice}",
            "- {id: invoice, type: log, fallbackNodeId: charge}",
        ),
        _nodes(
            "- {id: order, type: log}",
            "- {id: charge, type: log, fallbackNodeId: invoice}",
            "- {id: invoice, type: log}",
        ),
        UNDOING,
    ),
    "MS217": Example(
        _nodes(
            "- {id: charge, type: log, compensationNodeId: refund}", "- {id: refund, type: log, dependsOn: [charge]}"
        ),
        _nodes("- {id: charge, type: log, compensationNodeId: refund}", "- {id: refund, type: log}"),
        UNDOING,
    ),
    "MS218": Example(
        _nodes(
            "- {id: charge, type: log}",
            "- {id: pack, type: log}",
            "- {id: ship, type: log, join: {n: 3}, dependsOn: [charge, pack]}",
        ),
        _nodes(
            "- {id: charge, type: log}",
            "- {id: pack, type: log}",
            "- {id: ship, type: log, join: {n: 2}, dependsOn: [charge, pack]}",
        ),
        JOINS,
    ),
    "MS219": Example(
        _nodes("- {id: charge, type: log, retry: {maxAttempts: 0}}"),
        _nodes("- {id: charge, type: log, retry: {maxAttempts: 3}}"),
        FAILURE,
    ),
    "MS220": Example(
        _nodes("- {id: charge, type: script, config: {runtime: python}}"),
        _nodes("- {id: charge, type: script, config: {runtime: python, code: \"print('charged')\"}}"),
        CONCEPTS,
    ),
    "MS221": Example(
        _function("config: {process: true}"),
        _function('config: {handler: "orders:charge"}\ninput: {amount: 3}'),
        CONCEPTS,
        files={"orders.py": CHARGE},
    ),
    "MS222": Example(
        _nodes("- {id: wait, type: delay}"), _nodes("- {id: wait, type: delay, config: {duration: 10s}}"), CONCEPTS
    ),
    "MS223": Example(
        _nodes(
            "- {id: a, type: log}",
            "- {id: b, type: log}",
            "- {id: each, type: log, join: each, dependsOn: [a, b]}",
            "- {id: end, type: log, dependsOn: [a, each]}",
        ),
        _nodes(
            "- {id: a, type: log}",
            "- {id: b, type: log}",
            "- {id: each, type: log, join: each, dependsOn: [a, b]}",
            "- {id: end, type: log, dependsOn: [each]}",
        ),
        JOINS,
    ),
    "MS224": Example(
        _nodes(
            "- {id: size, type: decision, config: {conditions: [{id: big, expression: input.amount > 100}]}}",
            "- {id: approve, type: log}",
        )
        + "connections:\n  - {source: size, target: approve, sourcePort: bgi}\n",
        _nodes(
            "- {id: size, type: decision, config: {conditions: [{id: big, expression: input.amount > 100}]}}",
            "- {id: approve, type: log}",
        )
        + "connections:\n  - {source: size, target: approve, sourcePort: big}\n",
        ROUTING,
        also=("MS229",),
    ),
    "MS225": Example(
        _nodes(
            "- {id: a0, type: log}",
            "- {id: b0, type: log}",
            *(
                f"- {{id: {name}{level}, type: log, join: each, dependsOn: [a{level - 1}, b{level - 1}]}}"
                for level in range(1, 15)
                for name in "ab"
            ),
        ),
        _nodes(
            "- {id: a0, type: log}",
            "- {id: b0, type: log}",
            "- {id: a1, type: log, join: each, dependsOn: [a0, b0]}",
            "- {id: b1, type: log, join: each, dependsOn: [a0, b0]}",
        ),
        JOINS,
    ),
    "MS226": Example(
        _nodes(
            "- {id: here, type: log}",
            "- {id: there, type: log}",
            "- {id: first, type: log, join: {all: true, cancelOthers: true}, dependsOn: [here, there]}",
        ),
        _nodes(
            "- {id: here, type: log}",
            "- {id: there, type: log}",
            "- {id: first, type: log, join: {any: true, cancelOthers: true}, dependsOn: [here, there]}",
        ),
        JOINS,
    ),
    "MS227": Example(
        _nodes(
            "- {id: orders, type: log}",
            "- {id: goods, type: log}",
            "- {id: pack, type: log, join: ports}",
        )
        + "connections:\n  - {source: orders, target: pack}\n  - {source: goods, target: pack}\n",
        _nodes(
            "- {id: orders, type: log}",
            "- {id: goods, type: log}",
            "- {id: pack, type: log, join: ports}",
        )
        + "connections:\n  - {source: orders, target: pack, targetPort: order}\n"
        + "  - {source: goods, target: pack, targetPort: goods}\n",
        JOINS,
    ),
    "MS228": Example(
        TWO
        + "connections:\n  - {source: charge, target: ship}\n  - {source: charge, target: ship, condition: 1 > 2}\n",
        TWO + "connections:\n  - {source: charge, target: ship}\n",
        ROUTING,
    ),
    "MS229": Example(
        TWO + "connections:\n  - {source: charge, target: ship, condition: 1 > 2}\n",
        TWO + "connections:\n  - {source: charge, target: ship, condition: output.amount > 2}\n",
        ROUTING,
        also=("MS228",),
    ),
    "MS230": Example(
        _function('config: {handler: "orders:charge"}\ninput: {}'),
        _function('config: {handler: "orders:charge"}\ninput: {amount: 3}'),
        CONCEPTS,
        files={"orders.py": CHARGE},
    ),
    "MS231": Example(
        _function('config: {handler: "orders:charge"}\ninput: {amount: 3, currency: EUR}'),
        _function('config: {handler: "orders:charge"}\ninput: {amount: 3}'),
        CONCEPTS,
        files={"orders.py": CHARGE},
    ),
    "MS232": Example(
        _function('config: {handler: "orders:charge"}\ninput: {amount: "30"}'),
        _function('config: {handler: "orders:charge"}\ninput: {amount: 30}'),
        CONCEPTS,
        files={"orders.py": CHARGE},
    ),
    "MS233": Example(
        _function('config: {code: "return id"}\ninput: {id: 3}'),
        _function("config: {code: \"return input['id']\"}\ninput: {id: 3}"),
        CONCEPTS,
    ),
    "MS234": Example(_function('config: {code: "amount = (3"}'), _function('config: {code: "amount = 3"}'), CONCEPTS),
    "MS235": Example(
        _yaml("""
            import mainspring as ms

            charge = ms.Node(
                "charge",
                "function",
                config={"handler": lambda amount: {"paid": amount}, "process": True},
                input={"amount": 3},
            )
            ms.run(ms.Workflow("order", nodes=[charge]))
            """),
        _yaml("""
            import mainspring as ms
            import orders

            charge = ms.Node(
                "charge",
                "function",
                config={"handler": orders.charge, "process": True},
                input={"amount": 3},
            )
            ms.run(ms.Workflow("order", nodes=[charge]))
            """),
        CONCEPTS,
        name="order.py",
        kind="python",
        files={"orders.py": CHARGE},
    ),
    "MS236": Example(
        _nodes('- {id: charge, type: script, config: {runtime: csharp, code: "return 3;"}}'),
        _nodes('- {id: charge, type: script, config: {runtime: python, code: "print(3)"}}'),
        CONCEPTS,
    ),
    "MS237": Example(
        _function('config: {handler: "orders:charge", proces: true}\ninput: {amount: 3}'),
        _function('config: {handler: "orders:charge", process: true}\ninput: {amount: 3}'),
        CONCEPTS,
        files={"orders.py": CHARGE},
    ),
    "MS238": Example(
        _function('config: {handler: "orders:charge"}\ninput: {amount: 3}'),
        _function('config: {handler: "orders:refund"}\ninput: {amount: 3}'),
        CONCEPTS,
        files={
            "orders.py": "def charge(amount: 'Amount') -> dict:\n    return {'paid': amount}\n\n\n"
            "def refund(amount: float) -> dict:\n    return {'paid': -amount}\n"
        },
    ),
    "MS240": Example(PLAIN + "inputSchema: {type: objekt}\n", PLAIN + "inputSchema: {type: object}\n", CONCEPTS),
    "MS241": Example(
        PLAIN + 'inputSchema: {$ref: "#/$defs/order"}\n',
        PLAIN + 'inputSchema: {$ref: "#/$defs/order", $defs: {order: {type: object}}}\n',
        CONCEPTS,
    ),
    "MS242": Example(
        PLAIN + "inputSchema: " + "{not: " * 65 + "{}" + "}" * 65 + "\n",
        PLAIN + "inputSchema: {not: {not: {}}}\n",
        CONCEPTS,
    ),
    "MS243": Example(
        PLAIN + 'inputSchema: {type: string, pattern: "(a)\\\\1"}\n',
        PLAIN + 'inputSchema: {type: string, pattern: "a+"}\n',
        CONCEPTS,
    ),
    "MS244": Example(
        _nodes("- {id: charge, type: log, cache: {ttl: 1h}}"), _nodes("- {id: charge, type: log}"), CONCEPTS
    ),
    "MS245": Example(
        _nodes("- {id: go, type: wait, config: {signal: go}, retry: 3}"),
        _nodes("- {id: go, type: wait, config: {signal: go}}"),
        BLOCKS,
    ),
    "MS246": Example(
        _nodes("- {id: charge, type: log, resilience: {policy: payments}}"),
        _nodes("- {id: charge, type: log, resilience: {policy: payments}}")
        + "resilience: {stepPolicies: {payments: {failurePolicy: fail_fast}}}\n",
        FAILURE,
    ),
    "MS299": Example(
        _nodes("- {id: ship, type: log, dependsOn: [" + "a, " * 600 + "a]}"),
        _nodes("- {id: ship, type: log}"),
        VALIDATE,
        also=("MS207",),
    ),
    "MS251": Example(
        TWO + "connections:\n  - {source: charge, target: ship, condition: \"output.paid || 'false'\"}\n",
        TWO + 'connections:\n  - {source: charge, target: ship, condition: "output.paid || false"}\n',
        EXPRESSIONS,
    ),
    "MS261": Example(
        _nodes("- {id: large, type: if, config: {conditon: input.amount > 100}}"),
        _nodes("- {id: large, type: if, config: {condition: input.amount > 100}}"),
        "docs/semantics.md#kinds-of-node-that-decide",
    ),
    "MS262": Example(
        THREE + "connections:\n  - {source: charge, target: ship, condition: value.amount > 0}\n",
        THREE + "connections:\n  - {source: charge, target: ship, condition: output.amount > 0}\n",
        EXPRESSIONS,
    ),
    "MS271": Example(
        _custom('ms.Node("tell", "slack.post", config={"chanel": "orders"})'),
        _custom('ms.Node("tell", "slack.post", config={"channel": "orders"})'),
        CUSTOM,
        name="order.py",
        kind="python",
    ),
    "MS272": Example(
        _plugin("slack.delete"),
        _plugin("slack.post"),
        CUSTOM,
        name="order.py",
        kind="python",
        files={
            "acme_slack.py": "import mainspring as ms\n\n"
            '@ms.node_kind("slack.post")\nasync def post(input):\n    ...\n',
            "acme_slack-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-slack\nVersion: 1.0\n",
            "acme_slack-1.0.dist-info/entry_points.txt": "[mainspring.nodes]\n"
            "slack.post = acme_slack:post\nslack.delete = acme_slack:delete\n",
        },
    ),
    "MS263": Example(
        _nodes('- {id: charge, type: log, input: {sku: "${ item.sku }"}}'),
        _nodes(
            "- id: lines",
            "  type: forEach",
            "  config:",
            "    items: input.lines",
            '    body: [{id: charge, type: log, input: {sku: "${ item.sku }"}}]',
        ),
        BLOCKS + "#what-expressions-see-in-a-body",
    ),
    "MS264": Example(
        _nodes("- {id: charge, type: log}", '- {id: ship, type: log, input: {paid: "${ nodes.charge.output.paid }"}}'),
        _nodes(
            "- {id: charge, type: log}",
            '- {id: ship, type: log, input: {paid: "${ nodes.charge.output.paid }"}, dependsOn: [charge]}',
        ),
        EXPRESSIONS,
    ),
    "MS265": Example(_nested(17), _nested(2), BLOCKS),
    "MS266": Example(
        _nodes(
            "- {id: reminder, type: delay, config: {duration: 2d}}",
            "- {id: stop, type: cancel, config: {nodes: [remider]}}",
        ),
        _nodes(
            "- {id: reminder, type: delay, config: {duration: 2d}}",
            "- {id: stop, type: cancel, config: {nodes: [reminder]}}",
        ),
        BLOCKS + "#stopping-and-milestones",
    ),
    "MS267": Example(
        _nodes("- {id: paid, type: milestone, config: {after: ship}}", "- {id: ship, type: log}") + PAID,
        _nodes(
            "- {id: charge, type: log}",
            "- {id: paid, type: milestone, config: {after: charge}}",
            "- {id: ship, type: log}",
        )
        + PAID,
        BLOCKS + "#stopping-and-milestones",
    ),
    "MS268": Example(
        _nodes(
            "- {id: charge, type: log}", "- {id: next, type: subflow, config: {workflow: self}, dependsOn: [charge]}"
        ),
        _nodes("- {id: charge, type: log}", "- {id: next, type: subflow, config: {workflow: self}}")
        + "connections:\n  - {source: charge, target: next, condition: output.left > 0}\n",
        BLOCKS + "#children",
    ),
    "MS269": Example(
        _nodes(
            "- {id: pay, type: log, circuitBreaker: {target: bank, openFor: 1m}}",
            "- {id: refund, type: log, circuitBreaker: {target: bank, openFor: 5m}}",
        ),
        _nodes(
            "- {id: pay, type: log, circuitBreaker: {target: bank, openFor: 1m}}",
            "- {id: refund, type: log, circuitBreaker: {target: bank, openFor: 1m}}",
        ),
        "docs/guides/breakers.md",
    ),
    "MS281": Example(
        _nodes("- {id: bill, type: subflow, config: {workflow: biling}}"),
        _nodes("- {id: bill, type: subflow, config: {workflow: billing}}"),
        "docs/semantics-blocks.md#children",
        files={"billing.yaml": "id: billing\nnodes:\n  - {id: send, type: log}\n"},
    ),
    "MS901": Example(_nodes("- {id: charge, type: http, config: {url: 'https://bank/charge'}}"), PLAIN, TROUBLE),
    "MS902": Example(
        _function('config: {handler: "order:charge"}\ninput: {amount: 3}'),
        _function('config: {handler: "orders:charge"}\ninput: {amount: 3}'),
        TROUBLE,
        files={"orders.py": CHARGE},
    ),
    "MS903": Example(PLAIN + "triggers: [{type: timer}]\n", PLAIN, TROUBLE),
}

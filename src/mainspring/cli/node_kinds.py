"""The kinds of node that a definition can name, as `mainspring nodes` tells of them."""

from __future__ import annotations

from mainspring.cli.block_kinds import BLOCK_KINDS
from mainspring.cli.kind import PASSES, PRIMARY, Kind

GROUPS = {
    "work": "Work",
    "flow": "The way through",
    "time": "Time and turns",
    "start": "What starts a workflow",
}
"""In the order in which they are shown."""

BY_TASK = "the primary output; others that connections name as sourcePort, chosen by the task: ms.Output(value, port=…)"

_OTHER_KINDS = (
    Kind(
        "function",
        "work",
        "a Python function of yours, or code in the definition",
        {
            "handler": "the function: `module:name`, a name given to @ms.task, or `path/file.py:name`",
            "code": "instead: the body of a function, or one that defines `main` (a node's functionCode)",
            "process": "true: in a process of its own, for work that holds the CPU",
        },
        "what the function returns",
        BY_TASK,
        """
- id: charge
  type: function
  config: {handler: "orders:charge"}
  input: {amount: "${ input.amount }", customer: "${ input.customer.id }"}
- id: total
  type: function
  config:
    code: |
      return {"total": price * quantity}
""",
        ("task", "callable", "pythonFunction"),
    ),
    Kind(
        "script",
        "work",
        "a script in Python, bash, Node.js, PowerShell or C#, in a process of its own",
        {
            "runtime": "python, bash, sh, node, powershell or csharp; by the name of the file where left out",
            "path": "the file, relative to the definition (a node's scriptPath)",
            "code": "instead: the script itself",
            "args": "arguments, a list",
            "env": "environment variables; of mainspring's own it has only PATH, HOME, LANG and TMPDIR",
            "memory": "the most memory it may take: `256MB`",
            "cpuSeconds": "the most CPU time it may use, in seconds",
            "outputLimit": "the most it may write to stdout, stderr or its output; 16MiB where left out",
        },
        "what it assigns to state.output or writes to $MAINSPRING_OUTPUT; else its stdout, as JSON or as text",
        PRIMARY,
        """
- id: report
  type: script
  timeout: 30s
  config:
    runtime: python
    memory: 256MB
    code: |
      state.progress(50, "half way")
      state.output = {"rows": len(state.input["orders"])}
""",
    ),
    Kind(
        "http",
        "work",
        "a request to a web service",
        {"method": "GET, POST, …", "url": "where to", "headers": "an object", "body": "what to send, as JSON"},
        "the answer",
        PRIMARY,
        """
- id: rates
  type: http
  config: {method: GET, url: "https://rates.example/${ input.currency }"}
""",
        ("httpRequest", "rest"),
    ),
    Kind(
        "email",
        "work",
        "a mail",
        {"to": "an address, or several", "subject": "a text", "body": "a text"},
        PASSES,
        PRIMARY,
        """
- id: tell
  type: email
  config: {to: "${ input.email }", subject: "Your order", body: "It is on its way."}
""",
        ("sendEmail", "mail"),
    ),
    Kind(
        "sql",
        "work",
        "a statement to a database",
        {"connection": "which database", "statement": "the SQL", "parameters": "values for it"},
        "the rows",
        PRIMARY,
        """
- id: orders
  type: sql
  config: {connection: shop, statement: "select * from orders where day = :day", parameters: {day: "${ input.day }"}}
""",
    ),
    Kind(
        "transform",
        "work",
        "values put together from others, without code",
        {
            "output": "the value, with `${ … }` for what is computed; give this, or one of the others",
            "map": "{items, as}: a list of what `as` gives for each item (`item`, `index`)",
            "filter": "{items, where}: the items for which the expression `where` is true",
            "reduce": "{items, initial, next}: `next` for each item, where `value` is what it came to so far",
            "enrich": "an object: its fields are put over those of the input",
            "template": "a text",
        },
        "the value",
        PRIMARY,
        """
- id: line
  type: transform
  config: {output: {total: "${ input.price * input.count }"}}
- id: large
  type: transform
  config: {filter: {items: "value.lines", where: "item.amount > 100"}}
- id: sum
  type: transform
  config: {reduce: {items: "value.lines", initial: 0, next: "value + item.amount"}}
""",
    ),
    Kind(
        "log",
        "work",
        "a note in the history and in Python's logging; hands its input on",
        {
            "message": "a text, with `${ … }` for what is computed; without one nothing is noted",
            "level": "debug, info, warning or error; info where left out",
        },
        PASSES,
        PRIMARY,
        """
- id: seen
  type: log
  config: {message: "order ${ input.id } came in", level: info}
""",
    ),
    Kind(
        "if",
        "flow",
        "one of two ways, by a condition",
        {"condition": "an expression; `value` is the node's input"},
        PASSES,
        "`true` (also then, yes) and `false` (also else, no); nothing leaves without a sourcePort",
        """
- id: large
  type: if
  config: {condition: "value.amount > 1000"}
""",
    ),
    Kind(
        "switch",
        "flow",
        "one of several ways, by the first condition that holds, or all ways whose conditions hold",
        {
            "conditions": "a list of {id, expression}; `value` is the node's input, `id` the port",
            "match": "first: the first that holds; all: all that hold. first where left out",
            "defaultPath": "the port where none holds; `default` where left out",
        },
        PASSES,
        "the ids of its conditions, and the default port (also else); nothing leaves without a sourcePort",
        """
- id: size
  type: switch
  config:
    conditions:
      - {id: large, expression: "value.amount > 1000"}
      - {id: middle, expression: "value.amount > 100"}
    defaultPath: small
""",
    ),
    Kind(
        "decision",
        "flow",
        "a switch, as editors call it",
        {
            "conditions": "a list of {id, expression}; `value` is the node's input, `id` the port",
            "match": "first: the first that holds; all: all that hold. first where left out",
            "defaultPath": "the port where none holds; `default` where left out",
        },
        PASSES,
        "the ids of its conditions, and the default port (also else); nothing leaves without a sourcePort",
        """
- id: checks
  type: decision
  config:
    match: all
    conditions: [{id: customs, expression: "input.export"}, {id: wrapping, expression: "input.gift"}]
""",
    ),
    Kind(
        "join",
        "flow",
        "several ways come together; hands on what they brought",
        {},
        "an object keyed by source, or as its `join` says",
        PRIMARY,
        """
- id: all
  type: join
  join: all
""",
    ),
    Kind(
        "terminate",
        "flow",
        "ends the instance: what is under way is cancelled, what has not begun is skipped",
        {
            "status": "completed, failed or cancelled; completed where left out",
            "output": "the instance's output; the node's input where left out",
            "reason": "a text",
        },
        "what it is told, or its input",
        "none: nothing comes after it",
        """
- id: stop
  type: terminate
  config: {status: failed, reason: "no stock of ${ input.article }", output: {missing: "${ input.article }"}}
""",
    ),
    Kind(
        "trigger",
        "start",
        "the beginning, where one wants to see it; hands the instance's input on",
        {},
        PASSES,
        PRIMARY,
        """
- id: begin
  type: trigger
""",
    ),
    Kind(
        "timer",
        "start",
        "starts the workflow by the clock",
        {"cron": "when"},
        "the time",
        PRIMARY,
        """
- id: nightly
  type: timer
  config: {cron: "0 3 * * *"}
""",
    ),
    Kind(
        "event",
        "start",
        "starts the workflow, or lets it go on, when an event comes",
        {"name": "the event"},
        "the event",
        PRIMARY,
        """
- id: ordered
  type: event
  config: {name: order.placed}
""",
    ),
    Kind(
        "webhook",
        "start",
        "starts the workflow when a request comes",
        {"path": "the path of its URL"},
        "the request's body",
        PRIMARY,
        """
- id: hook
  type: webhook
  config: {path: /orders}
""",
    ),
)
_ORDER = (
    *("function", "script", "http", "email", "sql", "transform", "log"),
    *(
        "if",
        "switch",
        "decision",
        "while",
        "until",
        "forEach",
        "parallel",
        "race",
        "join",
        "subflow",
        "cancel",
        "terminate",
    ),
    *("delay", "wait", "mutex", "milestone", "trigger", "timer", "event", "webhook"),
)
BY_NAME = {kind.name: kind for kind in sorted((*_OTHER_KINDS, *BLOCK_KINDS), key=lambda kind: _ORDER.index(kind.name))}
KINDS = tuple(BY_NAME.values())
"""In the order in which they are shown."""

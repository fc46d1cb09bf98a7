"""What is found wrong with a definition: each with a stable code, its place, and what was meant."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from mainspring.definition.bounds import keys_listed_max, message_length_max, names_compared_max

Pointer = tuple[str | int, ...]
Severity = Literal["error", "warning"]


class Finding(Struct, frozen=True):
    """One thing that is wrong. `pointer` leads to it in the canonical form; line and column count from 1.

    `argument` is the way to it in a workflow made in Python, in its own spelling: `nodes[0].depends_on[1]`.
    """

    code: str
    severity: Severity
    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: Pointer = ()
    argument: str | None = None

    def text(self) -> str:
        """One line, as editors and people read it: `order.yaml:12:5: error MS104 unknown key …; did you mean …?`"""
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}:{self.column}" if place else f"{self.line}:{self.column}"
        if self.argument:
            place += f": {self.argument}" if place else self.argument
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place + ': ' if place else ''}{self.severity} {self.code} {self.message}{hint}"


class Code(NamedTuple):
    title: str
    explanation: str
    severity: Severity = "error"


codes: dict[str, Code] = {
    "MS001": Code("unreadable file", "The file does not exist, is no regular file or may not be read."),
    "MS002": Code(
        "document too large",
        "A definition has at most document_bytes_max (16 MiB) bytes and document_nodes_max (1,000,000) values; in YAML "
        "yaml_bytes_max (8 Mi) characters and yaml_nodes_max (300,000) keys and values, aliases counted as often as "
        "they are used. One object has at most object_keys_max (100,000) keys, one text text_length_max (1 Mi) "
        "characters. Keep data in files of its own, or hand it to the run as input.",
    ),
    "MS003": Code(
        "wrong encoding",
        "Definitions are UTF-8 text; UTF-16 and UTF-32 are read where a byte order mark says so. NUL characters and "
        "halves of surrogate pairs are not text.",
    ),
    "MS004": Code("syntax error", "The document is not well-formed YAML or JSON at this place."),
    "MS005": Code(
        "nested too deeply",
        "Values may be nested document_depth_max (100) deep. Use subflows to structure large workflows.",
    ),
    "MS006": Code("duplicate key", "The same key stands twice in one object; one of the two would be lost silently."),
    "MS007": Code(
        "unsupported YAML",
        "Tags (`!name`), keys that are not plain text, aliases to an unfinished or unknown anchor, and more than one "
        "document in a file are not supported.",
    ),
    "MS008": Code("not a JSON number", "Numbers must be finite, and integers must fit 64 bits."),
    "MS101": Code("missing key", "A required key is absent."),
    "MS102": Code("wrong type", "The value is of another type than this key takes."),
    "MS103": Code("unknown value", "The key takes one of a few words, and this is none of them."),
    "MS104": Code("unknown key", "No such key is known here. A misspelled key would otherwise be ignored silently."),
    "MS105": Code("bad duration", "Durations are written `500ms`, `10s`, `5m`, `1h`, `2d`, or as whole milliseconds."),
    "MS106": Code("two spellings of one key", "The same thing is said twice under two names; only one may stay."),
    "MS107": Code(
        "number as version",
        "YAML reads `version: 1.10` as the number 1.1. Put the version in quotes to keep it as written.",
        "warning",
    ),
    "MS108": Code(
        "value that no definition can hold",
        "A workflow made in Python may say what a file could say: null, booleans, numbers, text, lists and dicts; "
        "times, paths, UUIDs and enumerations are written as text or numbers. Functions can only be a node's handler.",
    ),
    "MS109": Code(
        "a file of another kind",
        "A resilience file (`kind: WorkflowResilienceConfig`) cannot be run, and a workflow cannot be applied as one. "
        "A program in Python that builds a workflow is run with `python`, or saves it as a file with `ms.save`.",
    ),
    "MS110": Code(
        "timeout of a few milliseconds",
        "A number without a unit is milliseconds, so `timeout: 10` is over before much can be done. Say the unit: "
        "`10s`, or `10ms` where it is meant.",
        "warning",
    ),
    "MS201": Code("no nodes", "A workflow needs at least one node, and so does each body."),
    "MS202": Code(
        "bad node id", "Node ids consist of letters, digits, `_`, `-` and `:`; `.`, `[` and `]` belong to paths."
    ),
    "MS203": Code("duplicate node id", "Each node needs an id of its own."),
    "MS204": Code("duplicate connection id", "Connection ids, where given, must differ."),
    "MS205": Code(
        "unknown node type",
        "No kind of node has this name. Kinds of your own are known once their module is imported (`--import MODULE`) "
        "or their plugin is installed; `mainspring nodes` lists all.",
    ),
    "MS206": Code("dangling connection", "A connection's source and target must be ids of nodes in the same graph."),
    "MS207": Code("unknown dependency", "`dependsOn` lists ids of nodes in the same graph."),
    "MS208": Code("self connection", "A node cannot follow itself. Use a `while` or `forEach` node to repeat work."),
    "MS209": Code(
        "cycle",
        "The graph must be acyclic, and so must each body. Loops are nodes (`while`, `until`, `forEach`) with a body "
        "of their own: what is to be repeated goes there.",
    ),
    "MS210": Code("no entry point", "Some node must have no incoming connection, or nothing can ever start."),
    "MS211": Code("unreachable node", "No path from an entry point leads to this node, so it can never run."),
    "MS212": Code("bad condition", "The condition of a connection is not a well-formed expression."),
    "MS213": Code("bad template", "A `${ … }` holds something that is not a well-formed expression."),
    "MS214": Code(
        "unknown node in an expression", "`nodes.x` names a node that does not exist: it is always null.", "warning"
    ),
    "MS215": Code("unknown compensation or fallback node", "The id named is not that of a node in the same graph."),
    "MS216": Code(
        "compensation or fallback loop", "Following compensation and fallback nodes leads back to the start."
    ),
    "MS217": Code(
        "off-graph node that is connected, or cannot work by itself",
        "Compensation and fallback nodes are off the graph: they run when called upon, and take no tokens. A node has one"
        " undo node at most, and an undo node has none.",
    ),
    "MS218": Code(
        "join that can never fire",
        "The join waits for more messages than can come, or for a port that none can reach. Of one node's connections "
        "only those can fire together that leave by the same port, or all on its failure.",
    ),
    "MS219": Code("value out of bounds", "The number is outside the range that makes sense here."),
    "MS220": Code("script without code", "A script node needs `config.path` or `config.code`."),
    "MS221": Code(
        "function without handler", "A function node needs `config.handler` (`module:name`) or `config.code`."
    ),
    "MS222": Code("delay without duration", "A delay node needs to know how long, or until when."),
    "MS223": Code(
        "repeating node before a join",
        "A node that joins by `each` or `ports` may run several times; each node after it must have one incoming "
        "connection or join by `each` too. Use forEach to repeat work and gather the results.",
    ),
    "MS224": Code(
        "unknown port",
        "The node never leaves by this port, so the connection never fires. An `if` leaves by `true` or `false`, a "
        "`switch` by its cases, a wait with a list of names by these, a race by the names of its branches, a block or "
        "a wait with a `timeout` by `timeout`; `mainspring nodes KIND` tells each kind's.",
        "warning",
    ),
    "MS225": Code(
        "too many runs",
        "Nodes that join by `each` multiply: one after another they could run more than runs_max (10,000) times. Use "
        "forEach, which is made for many items.",
    ),
    "MS226": Code(
        "nothing to cancel",
        "`cancelOthers` stops what has become pointless once a join by `any` or `n` is satisfied. Other joins wait for "
        "all there is, and a node that can run more than once is never done waiting.",
    ),
    "MS227": Code(
        "join by ports without ports",
        "A join by `ports` takes one message from each target port: its connections must name one (`targetPort`). A "
        "connection without one goes to the port `default`.",
    ),
    "MS228": Code(
        "connection that never fires",
        "Its trigger, port and condition contradict each other, or the condition is false whatever happens.",
        "warning",
    ),
    "MS229": Code(
        "node that can never run", "None of the connections into the node can ever bring a message.", "warning"
    ),
    "MS230": Code(
        "parameter that gets nothing",
        "The function has a parameter without a default, and the node's `input` (or the object that a join hands on, "
        "keyed by source) has no key of that name. The node would fail when it runs. Add the key, give the parameter "
        "a default, or take the whole input in one parameter.",
    ),
    "MS231": Code(
        "key that no parameter takes",
        "The node's `input` has a key that is no parameter of its function, so its value is dropped. Most often it is "
        "a typo. A function with `**kwargs` takes any key.",
        "warning",
    ),
    "MS232": Code(
        "constant of the wrong type",
        "The function's annotation asks for another type than the value that stands in the node's `input`. Nothing is "
        'converted silently: `"30"` is a text and no number. Write the value in the type that is asked for.',
    ),
    "MS233": Code(
        "name that Python has already",
        "Inline code uses a name that the input has and Python's builtins have too, such as `id` or `type`. The "
        'builtin is meant then; the input\'s value is `input["id"]`.',
        "warning",
    ),
    "MS234": Code(
        "code that cannot be compiled",
        "The Python code of a function node has a fault at the line named (counted within the code), or what stands "
        "around its `main` failed when it was loaded.",
    ),
    "MS235": Code(
        "function that no process can find",
        "With `process: true` a function runs in another process, which must be able to import it: it stands at the "
        "top of a module. Lambdas, closures and callable objects cannot run there.",
    ),
    "MS236": Code(
        "interpreter not installed here",
        "The program that runs this script is not on this machine's PATH. The workflow is right, but this process "
        "could not run it: install what the message names, or run it where that is installed.",
        "warning",
    ),
    "MS237": Code(
        "config key that means nothing",
        "A function's or script's `config` may hold keys of your own, but this one is nearly the name of a key that "
        "means something, and would be ignored as it is. Blocks and waits look at no keys but their own.",
        "warning",
    ),
    "MS238": Code(
        "annotation that cannot be held",
        "A parameter's annotation asks for something that a JSON value cannot be checked against: a name that cannot "
        "be read in the function's module, or a union of types that cannot be told apart within a list or dict. The "
        "value goes to the function as it came.",
        "warning",
    ),
    "MS240": Code(
        "no JSON Schema",
        "`inputSchema` and `outputSchema` are JSON Schemas (draft 2020-12, or the draft that `$schema` names): "
        "`{type: object, required: [id], properties: {id: {type: string}}}`. This part of it is none.",
    ),
    "MS241": Code(
        "schema reference that leads nowhere",
        "A `$ref` leads into the schema itself, as in `#/$defs/address`. Nothing is fetched from files or the network.",
    ),
    "MS242": Code(
        "schema too large",
        "A schema may have schema_bytes_max (256 KiB) bytes, be nested schema_depth_max (64) deep, and unfold to "
        "schema_unfolded_max (100,000) parts, schema_unfolded_depth_max (128) deep, where each reference counts as "
        "what it leads to.",
    ),
    "MS243": Code(
        "pattern that cannot be used",
        "The pattern is no regular expression, or needs what would take more than linear time (look-around, back "
        "references), or compiles to more than pattern_bytes_max (1 MiB).",
    ),
    "MS244": Code(
        "cache without work",
        "Nodes of this type do nothing in the world, so there is no result that could be used again: their `cache` is "
        "ignored.",
        "warning",
    ),
    "MS245": Code(
        "retry of what is never tried again",
        "A block, a wait, a subflow, a cancel or a milestone has one attempt; its own `retry` means nothing. What is "
        "within a block is tried again: give the `retry` to the nodes of its body.",
        "warning",
    ),
    "MS246": Code(
        "policy that is not there",
        "The node names a policy of a resilience file, and no file is applied that has it: it is run as if it named none.",
        "warning",
    ),
    "MS251": Code(
        "text where a truth is wanted",
        'Every text but "" is true, so "false" and "no" are true as well. Write true or false without quotes, or compare '
        "with the text.",
        "warning",
    ),
    "MS261": Code(
        "config that this kind of node cannot use",
        "Each kind of node is told what it is to do in its `config`: an `if` its `condition`, a `switch` its "
        "`conditions`, a `transform` one of `output`, `map`, `filter`, `reduce`, `enrich` and `template`. `mainspring "
        "nodes KIND` shows all keys, with an example.",
    ),
    "MS262": Code(
        "`value` where there is none",
        "`value` is a node's own input, and only the node's own `config` can look at it. On connections and in input "
        "and output mappings it is null. A connection's condition looks at `output`, a mapping at `nodes.ID.output`.",
        "warning",
    ),
    "MS263": Code(
        "loop's word outside of a loop",
        "`item`, `index` and `loop` belong to the loop around: they are seen in the bodies of forEach, while and "
        "until, and are null elsewhere. `item` is null in a while and an until too, whose state is `loop.state`. In a "
        "loop's own config they are those of the loop around it.",
        "warning",
    ),
    "MS264": Code(
        "node that has not run before",
        "`nodes.x` is null until x has run. Only what comes before a node, by connections, has surely ended when it "
        "starts; in a body that is also what comes before the block. Let the node follow x (`dependsOn: [x]`), or look "
        "at another one.",
        "warning",
    ),
    "MS265": Code(
        "bodies nested too deeply",
        "Bodies may be nested nesting_max (16) deep. Make a workflow of its own of the inner ones, and call it with a "
        "`subflow`.",
    ),
    "MS266": Code(
        "unknown node in a cancel or a milestone",
        "A cancel's `nodes` and a milestone's `after` and `before` are ids of other nodes of the same graph. What is "
        "in a body belongs to the body's graph; what stands in for another node, or undoes it, to none.",
    ),
    "MS267": Code(
        "milestone that waits for what waits for it",
        "The node that the milestone is to come `after` itself comes after the milestone: neither could ever go on.",
    ),
    "MS268": Code(
        "workflow that calls itself for ever",
        "Each path from an entry point leads to a subflow of this same workflow, so no instance could end but by "
        "DepthLimit. Put the subflow behind a condition that is false at last.",
    ),
    "MS269": Code(
        "one target, several rules",
        "Nodes that name the same `target` share one circuit breaker, and these say different things of it: what was said "
        "last would hold for both. Say the same, or name different targets.",
        "warning",
    ),
    "MS271": Code(
        "config that a custom kind does not take",
        "The node is of a kind that a plugin or a module of yours declares, and its `config` does not match what is "
        "declared: a key is missing, unknown, or has a value of another type. `mainspring nodes KIND` shows what the "
        "kind takes. What `${ … }` stands for is looked at when the node runs.",
    ),
    "MS272": Code(
        "custom kind that cannot be used",
        "A plugin that is installed offers this kind of node, but it cannot be loaded, is no node kind, has a wrong "
        "schema, or several plugins offer the same name. `mainspring nodes` lists all kinds with where they come from.",
    ),
    "MS281": Code(
        "a workflow that is not known",
        "A subflow starts a workflow by its id. It is looked for among those that the program has registered "
        "(`Engine.register`), those that were run on the store before, and in the parent's folder, as `ID.yaml`, `ID.yml` or "
        "`ID.json`. With a `version` only one with that version will do.",
    ),
    "MS901": Code(
        "not run by this version",
        "The definition is right, but this version of mainspring does not run this part of it yet.",
    ),
    "MS902": Code(
        "code not found here",
        "This process cannot find the node's code. A run would wait for it; `--import MODULE` loads more.",
        "warning",
    ),
    "MS903": Code(
        "not enforced by this version",
        "The workflow runs, but without this: a later version of mainspring will hold it.",
        "warning",
    ),
    "MS299": Code("too many findings", "Only the first findings_max (500) findings are listed; mend those first."),
}


def finding(code: str, message: str, pointer: Pointer = (), hint: str | None = None) -> Finding:
    """A finding whose place is still to be found; its severity is the code's."""
    if len(message) > message_length_max:
        message = message[: message_length_max - 1] + "…"
    return Finding(code, codes[code].severity, message, hint, pointer=pointer)


def did_you_mean(word: Any, known: Collection[str]) -> str | None:
    """The hint for a misspelled word, or None where nothing is like it."""
    close = nearest(word, known)
    return f"did you mean `{close}`?" if close is not None else None


def nearest(word: Any, known: Collection[str]) -> str | None:
    """What a misspelled word was probably meant to be."""
    # Of a short word one letter is much: `lgo` is two thirds of `log`.
    close = _nearest(word, known, 1, 0.7 if len(str(word)) > 4 else 0.6)
    return close[0] if close else None


def keys_hint(word: str, known: Collection[str]) -> str:
    """The hint for an unknown key: what it probably is, else a few of those that there are, the nearest first."""
    before, colon, _ = word.partition(":")
    if colon and before in known:
        return f"put a space behind the `:`, as in `{before}: …`"
    meant = did_you_mean(word, known)
    if meant is not None:
        return meant
    near = _nearest(word, known, keys_listed_max, 0.3)
    shown = [*near, *(name for name in known if name not in near)][:keys_listed_max]
    more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
    return f"known here: {', '.join(shown)}{more}"


def _nearest(word: Any, known: Collection[str], count: int, cutoff: float) -> list[str]:
    if not isinstance(word, str) or len(word) > 200:
        return []
    # Imported here: no definition that is right pays for it.
    from difflib import get_close_matches

    lowered = {name.lower(): name for name in sorted(_candidates(word, known), reverse=True)}
    return [lowered[name] for name in get_close_matches(word.lower(), lowered, count, cutoff)]


def _candidates(word: str, known: Collection[str]) -> Collection[str]:
    """Of many names, a few that can be near: a comparison with each of 100,000 nodes would take seconds."""
    if len(known) <= names_compared_max:
        return [name for name in known if len(name) <= 200]
    ends, length = (word[:1].lower(), word[-1:].lower()), len(word)
    near = (name for name in known if -2 <= len(name) - length <= 2 and (name[:1].lower(), name[-1:].lower()) == ends)
    return list(islice(near, names_compared_max))

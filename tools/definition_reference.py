"""Writes docs/reference/definition.md from the model: `python tools/definition_reference.py [--check]`.

Every key with its type, default, meaning and spellings; the same texts as in the JSON Schema.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from mainspring.definition import model, resilience_spelling, vocabulary
from mainspring.definition import policies_spelling as choices
from mainspring.definition.durations import format_duration
from mainspring.definition.kind_keys import KIND_KEYS
from mainspring.definition.meanings import meaning, meanings
from mainspring.definition.ranges import ranges
from mainspring.definition.resilience_file import ResilienceConfig, ResilienceSpec, StepPolicy
from mainspring.definition.vocabulary import Choice, duration_fields

DOCUMENT = Path(__file__).parent.parent / "docs" / "reference" / "definition.md"

INTRODUCTION = """\
# The definition format

Made from the code by `tools/definition_reference.py`: what stands here is what the doors read. Editors get the same from
`mainspring schema`, and `mainspring validate` says what is wrong with a file.

A definition is YAML, JSON, or Python (`ms.Workflow`, `ms.Node`, `ms.Connection` take the same keys in snake_case). The keys
below are the ones that are saved. Each is also read in snake_case, kebab-case and with any capitals, and by the other names
in the last column; one thing under two names is an error, and so is a key that nobody knows. A *shorthand* is read, and saved
as what it stands for: `handler: m:f` of a node as `config: {handler: m:f}`.

- **Durations** are `500ms`, `10s`, `5m`, `1h`, `2d`, several of them (`1h30m`), or whole milliseconds.
- **Values in `${ … }`** are [expressions](expressions.md); so are conditions, without the braces.
- **Words** of a closed set may have any capitals, and `_`, `-` or nothing between their parts: `fail_fast`, `FailFast`.
- **YAML** is YAML 1.2: `on`, `yes` and `no` are text. Tags, duplicate keys and a second document are errors.
"""

SHORTHANDS: dict[type[msgspec.Struct], str] = {
    model.Retry: "A whole number stands for `maxAttempts`, a word for the `strategy`, and `false` for no retry.",
    model.Join: "A word stands for the `kind`, a whole number for the `n` of the kind `n`; `{n: 2}` says the kind too.",
    model.Resilience: "A word stands for the `policy`.",
    model.RateLimit: "A number stands for the `rate`.",
    model.Cache: "`true` stands for all defaults, a duration for the `ttl`.",
    model.Checkpoint: "A word stands for the `policy`.",
    model.FallbackAction: "A word stands for the `type`.",
    model.TriggerSpec: "A word stands for the `type`.",
    model.Body: "It stands in the `config` of a block, as `body`, or in the list `branches`. A list stands for its nodes; "
    "`branches` may be an object of bodies by name.",
    ResilienceConfig: "It is a file of its own. A node's own words come first, then the policies here that match it, "
    "then the workflow's, then the rest of this file.",
}
PARTS = (
    *(model.Workflow, model.Node, model.Connection, model.Join, model.Retry, model.Resilience, model.FallbackAction),
    *(model.CircuitBreaker, model.RateLimit, model.Resources, model.Cache, model.Body, model.Checkpoint),
    *(model.TriggerSpec, model.Position, ResilienceConfig, ResilienceSpec, StepPolicy),
)
TITLES = {
    model.TriggerSpec: "Trigger",
    ResilienceConfig: "Resilience file",
    ResilienceSpec: "Spec of a resilience file",
}
CHOICES: dict[str, Choice] = {
    "failurePolicy": choices.failure_policies,
    "failureImpact": choices.impacts,
    "strategy": choices.strategies,
    "kind": choices.join_kinds,
    "trigger": vocabulary.triggers,
    "priority": choices.priorities,
    "compensationScope": choices.compensation_scopes,
    "type": vocabulary.node_type_choice,
    "onError": vocabulary.on_error,
}
WORDS = {words.struct: words for words in (*vocabulary.words, *resilience_spelling.words)}


def rendered() -> str:
    """The whole document."""
    return "\n".join([INTRODUCTION, *map(section, PARTS), kinds(), other_words()])


def section(struct: type[msgspec.Struct]) -> str:
    """One part: what it is, and its keys."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    means, words = meanings(struct), WORDS[struct]
    lines = [f"## {title(struct)}", "", meaning(struct)]
    if struct in SHORTHANDS:
        lines += ["", SHORTHANDS[struct]]
    lines += ["", "| key | type | default | meaning | also written |", "|---|---|---|---|---|"]
    for field in info.fields:
        key = field.encode_name
        cells = [f"`{key}`", kind(struct, key, field.type), default(struct, field), means[field.name]]
        lines.append(row([*cells, spelled(words.spellings.get(key, ()))]))
    for key, text in words.extra.items():
        lines.append(row([f"`{key}`", "*shorthand*", "", text, spelled(words.spellings.get(key, ()))]))
    return "\n".join([*lines, ""])


def kinds() -> str:
    """The kinds of node."""
    lines = ["## Kinds of node", "", "`mainspring nodes` says which of them this version runs.", ""]
    lines += ["| type | also written |", "|---|---|"]
    lines += [row([f"`{name}`", spelled(words[1:])]) for name, words in vocabulary.node_type_choice.spelled.items()]
    return "\n".join([*lines, "", *map(config_of, KIND_KEYS)])


def config_of(kind: str) -> str:
    """The config of a kind whose keys are all known."""
    lines = [f"### Config of {kind}", "", "| key | meaning | also written |", "|---|---|---|"]
    for name, key in KIND_KEYS[kind].items():
        also = tuple(key.also.split()) + (tuple(vocabulary.delays) if name == "duration" else ())
        lines.append(row([f"`{name}`", key.meaning, spelled(also)]))
    return "\n".join([*lines, ""])


def other_words() -> str:
    """The other spellings of words."""
    lines = ["## Words", "", "| key | word | also written |", "|---|---|---|"]
    for key, choice in CHOICES.items():
        if key != "type":
            lines += [row([f"`{key}`", f"`{name}`", spelled(words[1:])]) for name, words in choice.spelled.items()]
    return "\n".join([*lines, ""])


def row(cells: list[str]) -> str:
    """A row of a table; `|` would end a cell."""
    return "| " + " | ".join(cell.replace("|", "\\|") or "-" for cell in cells) + " |"


def spelled(words: tuple[str, ...]) -> str:
    """Spellings, as code."""
    return ", ".join(f"`{word}`" for word in words)


def title(struct: type[msgspec.Struct]) -> str:
    """`CircuitBreaker` is a circuit breaker."""
    name = struct.__name__
    spaced = name[0] + "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name[1:])
    return TITLES.get(struct, spaced)


def kind(struct: type[msgspec.Struct], key: str, type_: Any) -> str:
    """The type of a key, in words, with its range."""
    if key in duration_fields.get(struct, ()):
        return "duration"
    text = named(type_)
    least, most = ranges.get(struct, {}).get(key, (None, None))
    if least is not None and most is not None:
        return f"{text}, {least:g} to {most:g}"
    return f"{text}, at least {least:g}" if least is not None and least >= 1 else text


def named(type_: Any) -> str:
    """A type, in words."""
    if isinstance(type_, inspect.UnionType):
        options = [named(option) for option in type_.types if not isinstance(option, inspect.NoneType)]
        return " or ".join(options)
    if isinstance(type_, inspect.StructType):
        name = title(type_.cls)
        return f"[{name.lower()}](#{name.lower().replace(' ', '-')})"
    if isinstance(type_, inspect.VarTupleType):
        return f"list of {named(type_.item_type)}"
    if isinstance(type_, inspect.LiteralType):
        return " or ".join(f"`{value}`" for value in type_.values)
    if isinstance(type_, inspect.DictType):
        inner = "" if isinstance(type_.value_type, inspect.AnyType) else f" of {named(type_.value_type)} by name"
        return f"object{inner}"
    simple: dict[Any, str] = {inspect.StrType: "text", inspect.IntType: "whole number", inspect.FloatType: "number"}
    return simple.get(type(type_), "true or false" if isinstance(type_, inspect.BoolType) else "any value")


def default(struct: type[msgspec.Struct], field: inspect.Field) -> str:
    """What holds where nothing is said."""
    if field.required:
        return "required"
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return f"`{format_duration(int(value)) if field.encode_name in duration_fields.get(struct, ()) else value}`"
    return ""


def main() -> int:
    """Write the document, or with --check only say whether it is as it should be."""
    fresh = rendered().rstrip() + "\n"
    text = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else ""
    if "--check" in sys.argv:
        if fresh != text:
            print("docs/reference/definition.md is not up to date: run python tools/definition_reference.py")
        return int(fresh != text)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

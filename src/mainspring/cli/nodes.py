"""`mainspring nodes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mainspring.cli import exits

if TYPE_CHECKING:
    from collections.abc import Callable

    from mainspring.cli.kind import Kind
    from mainspring.cli.look import Screen


@click.command("nodes", short_help="The kinds of node there are, and the tasks.")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Load tasks; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(kind: str | None, imports: tuple[str, ...], as_json: bool) -> int:
    """The kinds of node that a workflow can have, and the tasks that are registered.

    \b
    mainspring nodes
    mainspring nodes script
    mainspring nodes --import orders
    mainspring nodes --import orders charge

    With the name of a KIND or of a task: that one in detail, with an example to copy. Custom kinds are those of installed
    plugins and of the modules that are imported; what is wrong with a plugin is told here.
    """
    from mainspring.cli import look, preparing
    from mainspring.cli.node_kinds import KINDS

    with preparing.stdout_for(as_json):
        preparing.load_modules(imports)
        tasks = _tasks() if imports else {}
        custom = {one["kind"]: one for one in _custom()} if kind is None or not _is_known(kind, tasks) else {}
    screen = look.out()
    if kind is not None:
        return _one(screen, kind, tasks, custom, as_json)
    if as_json:
        told = [_task_data(*one) for one in tasks.items()]
        _print({"kinds": [_kind_data(one) for one in KINDS], "custom": list(custom.values()), "tasks": told})
        return exits.COMPLETED
    _list_kinds(screen, list(custom.values()))
    if imports:
        _list_tasks(screen, tasks, imports)
    return exits.COMPLETED


def _tasks() -> dict[str, Callable[..., Any]]:
    from mainspring.tasks.registry import tasks

    return dict(tasks())


def _custom() -> list[dict[str, Any]]:
    from mainspring.tasks.catalogue import catalogue

    return catalogue()


def _is_known(name: str, tasks: dict[str, Callable[..., Any]]) -> bool:
    """Whether plugins need not be asked for it."""
    from mainspring.cli.node_kinds import BY_NAME
    from mainspring.definition.vocabulary import node_type

    return name in tasks or node_type(name) in BY_NAME


def _one(
    screen: Screen, name: str, tasks: dict[str, Callable[..., Any]], custom: dict[str, dict[str, Any]], as_json: bool
) -> int:
    from mainspring.cli.node_kinds import BY_NAME
    from mainspring.definition.findings import did_you_mean
    from mainspring.definition.vocabulary import node_type

    kind = BY_NAME.get(node_type(name))
    if kind is not None and name not in tasks:
        if as_json:
            _print(_kind_data(kind))
        else:
            _show_kind(screen, kind)
        return exits.COMPLETED
    if name in tasks:
        if as_json:
            _print(_task_data(name, tasks[name]))
        else:
            _show_task(screen, name, tasks[name])
        return exits.COMPLETED
    if name in custom:
        if as_json:
            _print(custom[name])
        else:
            _show_custom(screen, custom[name])
        return exits.COMPLETED
    hint = did_you_mean(name, [*BY_NAME, *tasks, *custom])
    more = "" if tasks else "; for the tasks of a module, give --import MODULE"
    raise click.UsageError(f"no kind of node and no task is called {name!r}{f'; {hint}' if hint else more}")


# -- lists


def _list_kinds(screen: Screen, custom: list[dict[str, Any]]) -> None:
    from mainspring.cli.custom_lines import list_custom
    from mainspring.cli.node_kinds import GROUPS, KINDS

    width = max(len(kind.name) for kind in KINDS)
    for group, title in GROUPS.items():
        screen.line(screen.paint(title, "bold"))
        for kind in (kind for kind in KINDS if kind.group == group):
            runs = _runs(kind)
            mark = screen.symbol("completed") if runs else screen.symbol("pending")
            name = screen.paint(kind.name, "cyan" if runs else "dim")
            prefix = f"  {mark} {name}{' ' * (width - len(kind.name))}  "
            screen.hanging(prefix, kind.what, width + 6, "" if runs else "dim")
        screen.line()
    list_custom(screen, custom)
    done, to_come = screen.symbol("completed"), screen.symbol("pending")
    screen.line(f"{done} runs  {to_come} known, and checked in a definition, but not run by this version yet")
    screen.line(f"One in detail, with an example: {screen.paint('mainspring nodes KIND', 'bold')}")


def _list_tasks(screen: Screen, tasks: dict[str, Callable[..., Any]], imports: tuple[str, ...]) -> None:
    from mainspring.cli.words import clean

    screen.line()
    screen.line(screen.paint("Tasks", "bold"))
    if not tasks:
        screen.line(
            f"  none: {clean(', '.join(imports))} registers nothing with @ms.task (module:name finds any function)"
        )
    for name, function in tasks.items():
        told = _task_data(name, function)
        mode = screen.paint(told["runs"], "dim")
        screen.line(f"  {screen.paint(clean(name), 'cyan')}{clean(told['signature'])}  {mode}")
        if told["doc"]:
            screen.hanging("      ", clean(told["doc"].splitlines()[0]), 6)


# -- one in detail


def _show_kind(screen: Screen, kind: Kind) -> None:
    runs = "" if _runs(kind) else screen.paint("  (not run by this version yet)", "yellow")
    screen.line(f"{screen.paint(kind.name, 'bold cyan')}{runs}")
    screen.hanging("  ", kind.what, 2)
    if kind.also:
        screen.hanging("  ", f"also written {', '.join(kind.also)}", 2, "dim")
    screen.line()
    screen.line(screen.paint("Config", "bold"))
    width = max((len(key) for key in kind.config), default=0)
    for key, text in kind.config.items():
        screen.hanging(f"  {screen.paint(key, 'cyan')}{' ' * (width - len(key))}  ", text, width + 4)
    if not kind.config:
        screen.line("  nothing")
    for title, text in (("Output", kind.output), ("Ports", kind.ports)):
        screen.line()
        screen.line(screen.paint(title, "bold"))
        screen.hanging("  ", text, 2)
    _show_example(screen, kind.example)


def _show_custom(screen: Screen, kind: dict[str, Any]) -> None:
    from mainspring.cli.custom_lines import show_custom
    from mainspring.cli.words import clean

    show_custom(screen, kind)
    doc = clean(kind.get("doc", ""))
    if "\n" in doc:
        screen.line()
        for line in doc.split("\n"):
            screen.hanging("  ", line, 2) if line.strip() else screen.line()
    if "example" in kind:
        _show_example(screen, clean(kind["example"]))


def _show_task(screen: Screen, name: str, function: Callable[..., Any]) -> None:
    from mainspring.cli.words import clean

    told = _task_data(name, function)
    screen.line(f"{screen.paint(clean(name), 'bold cyan')}{clean(told['signature'])}")
    screen.hanging("  ", f"{told['runs']}, {told['reference'] or 'found by its name'}", 2, "dim")
    if told["doc"]:
        screen.line()
        for line in clean(told["doc"]).split("\n"):
            screen.hanging("  ", line, 2) if line.strip() else screen.line()
    lines = [f"- id: {told['function']}", "  type: function", f'  config: {{handler: "{told["handler"]}"}}']
    if told["parameters"]:
        lines.append("  input:")
        lines += [f'    {each["name"]}: "${{ input.{each["name"]} }}"' for each in told["parameters"]]
    _show_example(screen, "\n".join(lines))


def _show_example(screen: Screen, example: str) -> None:
    screen.line()
    screen.line(screen.paint("Example", "bold"))
    for line in example.strip("\n").split("\n"):
        screen.line(f"  {line}")


# -- data


def _runs(kind: Kind) -> bool:
    from mainspring.graph.support import RUNNABLE_TYPES

    return kind.name in RUNNABLE_TYPES


def _kind_data(kind: Kind) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": kind.name, "group": kind.group, "what": kind.what, "runs": _runs(kind)}
    told.update(config=kind.config, output=kind.output, ports=kind.ports, also=list(kind.also))
    return {**told, "example": kind.example.strip("\n")}


def _task_data(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    import inspect

    from mainspring.tasks.annotations import EMPTY, parameters_of, title_of
    from mainspring.tasks.binding import Binder
    from mainspring.tasks.function import is_async
    from mainspring.tasks.registry import importable_reference, spec_of

    spec, context, reference = spec_of(function), Binder(function).context, importable_reference(function)
    parameters = [each for each in parameters_of(function) if each.name not in context]
    returned = _annotation(getattr(function, "__annotations__", {}).get("return", EMPTY))
    runs = "a process of its own" if spec and spec.process else "async" if is_async(function) else "a thread"
    return {
        "name": name,
        "function": title_of(function).rpartition(".")[2],
        "reference": reference,
        "handler": name if reference is None or (spec and spec.named) else reference,
        "runs": runs,
        "signature": f"({', '.join(_written(parameters))}){f' -> {returned}' if returned else ''}",
        "parameters": [
            {"name": each.name, "type": _annotation(each.annotation) or None, "required": each.default is EMPTY}
            for each in parameters
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ],
        "takesContext": bool(context),
        "doc": inspect.getdoc(function) or "",
    }


def _written(parameters: list[Any]) -> list[str]:
    """The parameters as Python has them, with the bare `*` or `/` where they need one."""
    written: list[str] = []
    star = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    for index, each in enumerate(parameters):
        if each.kind is each.KEYWORD_ONLY and not star:
            star = True
            written.append("*")
        written.append(_parameter(each))
        last = index + 1 == len(parameters) or parameters[index + 1].kind is not each.POSITIONAL_ONLY
        if each.kind is each.POSITIONAL_ONLY and last:
            written.append("/")
    return written


def _parameter(parameter: Any) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = _annotation(parameter.annotation)
    text = f"{stars}{parameter.name}{f': {kind}' if kind else ''}"
    if parameter.default is parameter.empty:
        return text
    return f"{text} = {parameter.default!r}" if kind else f"{text}={parameter.default!r}"


def _annotation(annotation: Any) -> str:
    import inspect

    if annotation is inspect.Parameter.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation).replace("typing.", "")


def _print(value: Any) -> None:
    import json

    print(json.dumps(value, ensure_ascii=False))

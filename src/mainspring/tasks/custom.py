"""Nodes of custom kinds: what is asked of the function that was declared with `@ms.node_kind` (see `declaring`).

The machine has evaluated the templates of a node's config when the attempt began (`TaskCall.config`); here it is held to what
the kind declares, and the function is called the way that tasks are: awaited, in a thread, or in a process of its own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import msgspec

from mainspring.definition.model import Node
from mainspring.errors import HandlerNotFound
from mainspring.graph.custom_kinds import NodeKind, Unusable, find, kind_of, names
from mainspring.graph.schemas import Check
from mainspring.messaging.task import Output, PreparedTask, TaskCall, decode
from mainspring.tasks.annotations import EMPTY, parameters_of, read
from mainspring.tasks.binding import Binder, Caller
from mainspring.tasks.context import TaskContext
from mainspring.tasks.declaring import parameters
from mainspring.tasks.function import FunctionKind, is_async
from mainspring.tasks.loading import explain, load_script, walk
from mainspring.tasks.mismatch import InputMismatch, explained
from mainspring.tasks.registry import importable_reference
from mainspring.tasks.typed import Conversion, conversion_of, output_check


class ConfigInvalid(Exception):
    """A node's config, its templates evaluated, is not what its kind takes. Another attempt would be told the same."""

    fatal = True

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))

    @property
    def context(self) -> dict[str, Any]:
        """What the error's record keeps beside the message."""
        return {"faults": list(self.faults)}


class UnknownPort(Exception):
    """A kind's function left by a port that the kind does not declare."""

    fatal = True


def prepared(node: Node, functions: FunctionKind) -> PreparedTask:
    """The work of a node's kind, wherever it is declared, by the threads and processes of the function nodes.

    Raises HandlerNotFound.
    """
    kind = usable(node.type)
    if kind.process:
        return functions.in_worker(worker_reference(kind), "", "")
    return functions.called(caller_of_kind(kind), is_async(kind.handler))


def usable(type: str) -> NodeKind:
    """The kind that a type means. Raises HandlerNotFound, saying what is wrong with it or what was meant."""
    found = find(type)
    if isinstance(found, NodeKind):
        return found
    if isinstance(found, Unusable):
        raise HandlerNotFound(f"the node kind {type!r} cannot be used here: {found.reason}")
    message = explain(f"no node kind {type!r} is known here", type, names())
    raise HandlerNotFound(f"{message}. Install the plugin that offers it, or load it with --import MODULE")


def worker_reference(kind: NodeKind) -> str:
    """How another process finds the kind's function. Raises HandlerNotFound where it cannot."""
    found = importable_reference(kind.handler)
    if found is None:
        raise HandlerNotFound(
            f"the node kind {kind.name!r} cannot run in a process of its own: another process must be able to import its "
            f"function, so it must stand at the top of a module"
        )
    return found


def kind_at(reference: str) -> NodeKind:
    """The kind that a reference leads to, in a worker. Raises HandlerNotFound.

    A plugin's module is what `import` finds: a file of that name beside a definition has nothing to do with it.
    """
    where, _, qualname = reference.rpartition(":")
    module = load_script(where, "") if where.endswith(".py") else import_module(where)
    kind = kind_of(walk(module, qualname, reference))
    if kind is None:
        raise HandlerNotFound(f"{reference!r} is no node kind in a process of its own")
    return kind


def caller_of_kind(kind: NodeKind) -> Caller:
    """What reads a call's input and config as the kind declares them, and calls its function."""
    function = kind.handler
    arguments = Arguments(kind)
    finish = _finisher(kind)

    def call(order: TaskCall) -> Any:
        output = function(**arguments.of(order))
        return _finished(output, finish) if inspect.isawaitable(output) else finish(output)

    return call


class Arguments:
    """What the function of a kind is called with. Its signature is read once."""

    def __init__(self, kind: NodeKind) -> None:
        takes = parameters(kind.handler)
        self._context = takes.get("context")
        self._takes_config = "config" in takes
        self._takes_input = "input" in takes
        self.input = _input_conversion(kind) if self._takes_input else None
        self._check = Check(kind.schema, "config")
        self._decode = None if kind.config is None else conversion_of(kind.config)
        self._good = b""

    def of(self, order: TaskCall) -> dict[str, Any]:
        """Raises ConfigInvalid, InputMismatch."""
        named: dict[str, Any] = {}
        config = self.config(order.config)
        if self._takes_config:
            named["config"] = config
        if self._takes_input:
            named["input"] = decode(order.input) if self.input is None else _read(self.input, order.input)
        if self._context is not None:
            named[self._context] = TaskContext(order)
        return named

    def config(self, raw: bytes) -> Any:
        """A config as the kind has it, a new object at each call. Raises ConfigInvalid."""
        if raw != self._good:  # most configs hold no templates: the next attempt has the same
            faults = self._check(raw)
            if faults:
                raise ConfigInvalid(faults)
        try:
            config = decode(raw) if self._decode is None else self._decode.decode(raw)
        except msgspec.ValidationError as error:
            assert self._decode is not None
            place, reason = explained(error, decode(raw), "config", self._decode.decode, self._decode.annotation)
            raise ConfigInvalid((f"{place}: {reason}",)) from None
        self._good = raw
        return config


def input_binder(kind: NodeKind) -> Binder | None:
    """What the checks know a kind's input by: one parameter that takes it whole. None where the function takes none."""
    parameter = next((each for each in parameters_of(kind.handler) if each.name == "input"), None)
    if parameter is None:
        return None

    @functools.wraps(kind.handler)
    def taking(input: Any) -> None: ...

    setattr(taking, "__signature__", inspect.Signature([parameter.replace(default=EMPTY)]))  # noqa: B010 - functions have none
    binder = Binder(taking)
    binder.whole = binder.always_whole = True
    return binder


def _input_conversion(kind: NodeKind) -> Conversion | None:
    parameter = next(each for each in parameters_of(kind.handler) if each.name == "input")
    return conversion_of(read(parameter.annotation, kind.handler), parameter.default)


def _read(conversion: Conversion, raw: bytes) -> Any:
    try:
        return conversion.decode(raw)
    except msgspec.ValidationError as error:
        told = explained(error, decode(raw), "input", conversion.decode, conversion.annotation)
        raise InputMismatch(*told) from None


def _finisher(kind: NodeKind) -> Callable[[Any], Any]:
    """What holds a function to the ports that it declares and to the message that it says it returns."""
    check = output_check(kind.handler)

    def finish(output: Any) -> Any:
        if type(output) is Output and output.port is not None and output.port not in kind.ports:
            declared = ", ".join(kind.ports) or "none"
            raise UnknownPort(
                f"left by port {output.port!r}, which {kind.name} does not declare (it declares: {declared})"
            )
        return output if check is None else check(output)

    return finish


async def _finished(output: Awaitable[Any], finish: Callable[[Any], Any]) -> Any:
    return finish(await output)

"""E9: a task's parameters and outputs are what their annotations say, or the node fails and says where they are not."""
# ruff: noqa: UP007, UP045, RUF013

from __future__ import annotations

import decimal
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mainspring as ms
from mainspring.messaging.task import TaskCall
from mainspring.tasks.binding import MissingParameter, caller
from mainspring.tasks.function import caller_of
from mainspring.tasks.mismatch import InputMismatch, OutputMismatch
from mainspring.tasks.typed import conversion_of, why_unchecked

NewCall = Callable[..., TaskCall]


@dataclass
class Item:
    sku: str
    price: float
    tags: list[str] = field(default_factory=list)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Order:
    id: int
    items: list[Item]
    colour: Colour = Colour.RED
    by_country: dict[str, Item] = field(default_factory=dict)


class Address(msgspec.Struct, rename="camel"):
    street_name: str
    zip: str = ""


class Receipt(TypedDict):
    total: float
    currency: str


class Point(NamedTuple):
    x: int
    y: int = 0


class Named(msgspec.Struct):
    named: str


@dataclass
class Card:
    number: str


@dataclass
class Transfer:
    iban: str


ORDER = {"id": 1, "items": [{"sku": "a", "price": 2}]}
KEYS = st.sampled_from(
    ["value", "id", "items", "sku", "price", "colour", "total", "number", "iban", "streetName", "a.b", "[0]", "`"]
)
KEY = uuid.UUID(int=5)


@pytest.mark.parametrize(
    ("annotation", "sent", "got"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (bool, True, True),
        (str, "x", "x"),
        (Item, {"sku": "a", "price": 1.5, "more": 1}, Item("a", 1.5)),
        (Order, ORDER, Order(1, [Item("a", 2.0)])),
        (Address, {"streetName": "Elm", "zip": "1"}, Address("Elm", "1")),
        (Receipt, {"total": 1.0, "currency": "EUR"}, {"total": 1.0, "currency": "EUR"}),
        (list[Item], [{"sku": "a", "price": 1}], [Item("a", 1.0)]),
        (dict[str, list[int]], {"a": [1]}, {"a": [1]}),
        (dict[int, str], {"1": "a"}, {1: "a"}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (Point, [1], Point(1)),
        (Literal["a", "b"], "a", "a"),
        (Colour, "blue", Colour.BLUE),
        (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (date, "2026-01-02", date(2026, 1, 2)),
        (timedelta, "PT5S", timedelta(seconds=5)),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (uuid.UUID, str(KEY), KEY),
        (bytes, "aGk=", b"hi"),
        (Path, "a/b", Path("a/b")),
        (Union[str, Path], "a", "a"),
        (Optional[Item], None, None),
        (int | None, 4, 4),
        (Annotated[int, msgspec.Meta(ge=0)], 0, 0),
        (Union[Card, Transfer], {"iban": "D"}, Transfer("D")),
        (Any, {"a": 1}, {"a": 1}),
    ],
)
def test_what_is_sent_is_what_is_asked_for(annotation: Any, sent: Any, got: Any, new_call: NewCall) -> None:
    """By name beside another parameter, as the only one, and behind a context: always the same."""

    def beside(value: Any, other: int = 0) -> Any:
        return value

    def alone(value: Any) -> Any:
        return value

    def behind(ctx: ms.TaskContext, *, value: Any) -> Any:
        return value

    for function in (beside, alone, behind):
        function.__annotations__["value"] = annotation
        function.__annotations__["ctx"] = ms.TaskContext
        given = caller(function)(new_call({"value": sent}))
        assert given == got and type(given) is type(got)


@pytest.mark.parametrize(
    ("annotation", "sent", "said"),
    [
        (int, "3", ".value: expected int, got str"),
        (int, 2.5, ".value: expected int, got float"),
        (str, 3, ".value: expected str, got int"),
        (float, None, ".value: expected float, got null"),
        (bool, 1, ".value: expected bool, got int"),
        (
            Order,
            {"id": 1, "items": [{"sku": "a", "price": 1}, {"sku": "a", "price": "1"}]},
            ".value.items[1].price: expected float, got str",
        ),
        (Order, {"id": 1, "items": [{"sku": "a"}]}, ".value.items[0]: `price` is missing"),
        (Order, {**ORDER, "colour": "green"}, ".value.colour: 'green' is none of red, blue"),
        (
            Order,
            {**ORDER, "by_country": {"de": {"sku": "a", "price": 1}, "fr": {"sku": 1, "price": 1}}},
            ".value.by_country.fr.sku: expected str, got int",
        ),
        (Address, {"street_name": "Elm"}, ".value: `streetName` is missing"),
        (Receipt, {"total": 1}, ".value: `currency` is missing"),
        (list[Item], [{"sku": "a", "price": []}], ".value[0].price: expected float, got array"),
        (dict[int, str], {"a": "x"}, ".value: a key of it: expected int, got str"),
        (dict[str, dict[str, int]], {"a": {"x": 1, "y": "2"}}, ".value.a.y: expected int, got str"),
        (tuple[int, str], [1], ".value: expected array of length 2"),
        (Literal["a", "b"], "c", ".value: 'c' is none of a, b"),
        (datetime, "soon", ".value: invalid RFC3339 encoded datetime"),
        (uuid.UUID, "x", ".value: invalid UUID"),
        (Path, 3, ".value: expected path, got int"),
        (Annotated[int, msgspec.Meta(ge=0)], -1, ".value: expected int >= 0"),
        (Union[Card, Transfer], {"bic": 1}, ".value: `number` is missing"),
        (int | None, "x", ".value: expected int | null, got str"),
    ],
)
def test_what_is_not_says_where_and_is_not_retried(annotation: Any, sent: Any, said: str, new_call: NewCall) -> None:
    def beside(value: Any, other: int = 0) -> Any:
        raise AssertionError("it must not be called")

    beside.__annotations__["value"] = annotation
    with pytest.raises(InputMismatch) as raised:
        caller(beside)(new_call({"value": sent}))
    assert str(raised.value) == f"input{said}"
    assert raised.value.fatal and raised.value.context == {"place": f"input{said.partition(':')[0]}"}


def ship(order: Order) -> Any:
    return order


def notify(ctx: ms.TaskContext, order: Order) -> Any:
    return order


def label(named: Named) -> Any:
    return named


def sums(values: list[float]) -> Any:
    return values


def maybe(order: Order | None = None) -> Any:
    return order


@pytest.mark.parametrize("function", [ship, notify])
def test_the_only_parameter_takes_the_whole_input(function: Callable[..., Any], new_call: NewCall) -> None:
    """SEMANTICS 19: all of it, unless a key has the parameter's own name."""
    order = Order(1, [Item("a", 2.0)])
    assert caller(function)(new_call(ORDER)) == order
    assert caller(function)(new_call({"order": ORDER, "more": 1})) == order
    with pytest.raises(InputMismatch, match=r"^input\.items: expected array, got int$"):
        caller(function)(new_call({"id": 1, "items": 5}))
    with pytest.raises(InputMismatch, match=r"^input\.order\.items: expected array, got int$"):
        caller(function)(new_call({"order": {"id": 1, "items": 5}}))
    with pytest.raises(InputMismatch, match=r"^input: expected object, got array$"):
        caller(function)(new_call([1]))


def test_a_type_with_a_key_of_the_parameters_name_is_always_meant_whole(new_call: NewCall) -> None:
    assert caller(label)(new_call({"named": "x"})) == Named("x")
    with pytest.raises(InputMismatch, match=r"^input\.named: expected str, got object$"):
        caller(label)(new_call({"named": {"named": "x"}}))


def test_payloads_that_are_no_objects(new_call: NewCall) -> None:
    assert caller(sums)(new_call([1, 2])) == [1.0, 2.0]
    assert caller(sums)(new_call({"values": [1]})) == [1.0]
    with pytest.raises(InputMismatch, match=r"^input\[1\]: expected float, got str$"):
        caller(sums)(new_call([1, "2"]))
    assert caller(maybe)(new_call(None)) is None
    assert caller(maybe)(new_call({"order": None})) is None
    with pytest.raises(MissingParameter, match="sums needs `values`, and the input has `value`"):
        caller(sums)(new_call({"value": [1]}))


def test_defaults_are_the_functions_own_and_are_not_shared(new_call: NewCall) -> None:
    def gather(first: int, found: list[int] = [], note: str = None) -> Any:  # type: ignore[assignment]  # noqa: B006
        return first, found, note

    assert caller(gather)(new_call({"first": 1})) == (1, gather.__defaults__[0], None)  # type: ignore[index]
    assert caller(gather)(new_call({"first": 1, "found": [2], "note": None})) == (1, [2], None)
    assert caller(gather)(new_call({"first": 1, "note": "x"})) == (1, [], "x")


def test_an_error_of_the_function_is_no_mismatch(new_call: NewCall) -> None:
    def broken(order: Order) -> None:
        raise msgspec.ValidationError("mine")

    for payload in (ORDER, {"order": ORDER}):
        with pytest.raises(msgspec.ValidationError, match="mine"):
            caller(broken)(new_call(payload))


def test_every_call_gets_objects_of_its_own(new_call: NewCall) -> None:
    call = new_call(ORDER)
    assert caller(ship)(call).items is not caller(ship)(call).items


def test_conversions_are_compiled_once_per_function(new_call: NewCall, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = caller(ship), caller(sums)
    monkeypatch.setattr(msgspec.json, "Decoder", None)
    monkeypatch.setattr(msgspec, "defstruct", None)
    assert ready[0](new_call(ORDER)).id == 1 and ready[0](new_call({"order": ORDER})).id == 1
    assert ready[1](new_call([1])) == [1.0]
    with pytest.raises(InputMismatch):
        ready[1](new_call(["1"]))


def test_what_cannot_be_held_comes_as_it_is(new_call: NewCall) -> None:
    def odd(things: list[Card | Transfer], later: "NotThere") -> Any:  # type: ignore[name-defined]  # noqa: F821, UP037
        return things, later

    assert caller(odd)(new_call({"things": [{"number": "1"}], "later": 5})) == ([{"number": "1"}], 5)
    assert conversion_of(list[Card | Transfer]) is None
    assert "may not contain more than one dataclass" in str(why_unchecked(list[Card | Transfer]))
    assert why_unchecked(Any) is None and why_unchecked(Order) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
PLAINLY_READ = (
    *(
        int,
        str,
        Order,
        list[Item],
        dict[str, Order],
        dict[str, dict[str, int]],
        Receipt,
        Point,
        Colour,
        Literal["a", 1],
    ),
    *(datetime, decimal.Decimal, Optional[Order], Address, tuple[int, str], bytes),
)
ASKED = st.sampled_from([*PLAINLY_READ, Path, Union[Card, Transfer], Union[str, Path]])


@given(ASKED, JSON, st.booleans())
def test_any_payload_is_taken_or_refused_with_a_place(asked: Any, payload: Any, alone: bool) -> None:
    """E9: whatever is sent, the function is called with what its annotation says, or one of our two errors names why."""

    def beside(value: Any, other: Any = None) -> Any:
        return value

    def only(value: Any) -> Any:
        return value

    function = only if alone else beside
    function.__annotations__["value"] = asked
    raw = msgspec.json.encode(payload)
    call = TaskCall("i", "n", 1, 1, "k", raw, b"{}", lambda percent, text: None)
    try:
        value = caller(function)(call)
    except InputMismatch as error:
        assert error.place.startswith("input") and error.reason
    except MissingParameter as error:
        assert "`value`" in str(error)
    else:
        sent = payload["value"] if isinstance(payload, dict) and "value" in payload else payload
        if asked in PLAINLY_READ:
            assert value == msgspec.json.decode(msgspec.json.encode(sent), type=asked)
        elif asked is Path:
            assert value == Path(sent)


def test_looking_for_the_key_has_a_bound(new_call: NewCall, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {"value": {**{f"k{number}": 1 for number in range(1_000)}, "last": "x"}}

    def counts(value: dict[str, int], other: int = 0) -> None: ...

    with pytest.raises(InputMismatch, match=r"^input\.value\.last: expected int, got str$"):
        caller(counts)(new_call(sent))
    monkeypatch.setattr("mainspring.tasks.mismatch.TRIED_BYTES_MAX", 1_000)
    with pytest.raises(InputMismatch, match=r"^input\.value\[\.\.\.\]: expected int, got str$"):
        caller(counts)(new_call(sent))


# -- outputs


def gives(value: Any, annotation: Any) -> Callable[..., Any]:
    def function() -> Any:
        return value

    function.__annotations__["return"] = annotation
    return function


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Order, Order(1, [Item("a", 2.0)])),
        (Order, {"id": 1, "items": []}),
        (list[Item], [Item("a", 1.0)]),
        (Receipt, {"total": 1, "currency": "EUR"}),
        (Colour, Colour.BLUE),
        (Address, Address("Elm")),
        (Union[Order, None], None),
        (Union[Order, ms.Output], ms.Output(Order(1, []))),
        (Order, ms.Output({"reason": "no such order"}, port="invalid")),
        (int, "a plain type is not held: it says nothing that a successor's own annotation would not"),
        (ms.Output, ms.Output(object())),
    ],
)
def test_an_output_that_is_what_was_declared(annotation: Any, value: Any, new_call: NewCall) -> None:
    output = caller_of(gives(value, annotation))(new_call())
    plain = output if isinstance(value, ms.Output) and isinstance(output, ms.Output) else None
    if plain is None and isinstance(output, msgspec.Raw):
        inner = value.value if isinstance(value, ms.Output) else value
        assert bytes(output) == msgspec.json.encode(inner)
    else:
        assert output == value


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (Order, {"id": "1", "items": []}, "output.id: expected int, got str"),
        (Order, Order(1, [Item("a", "2")]), "output.items[0].price: expected float, got str"),  # type: ignore[arg-type]
        (Receipt, {"total": 1}, "output: `currency` is missing"),
        (Literal["a"], "b", "output: 'b' is none of a"),
        (Union[Order, ms.Output], ms.Output(3), "output: expected object, got int"),
        (Order, None, "output: expected object, got null"),
    ],
)
def test_an_output_that_is_not_says_where(annotation: Any, value: Any, said: str, new_call: NewCall) -> None:
    with pytest.raises(OutputMismatch) as raised:
        caller_of(gives(value, annotation))(new_call())
    assert str(raised.value) == said and raised.value.fatal


@ms.task(name="typed-price")
async def price(order: Order) -> Order | ms.Output:
    if not order.items:
        return ms.Output({"why": "empty"}, port="invalid")
    return Order(order.id, [Item(each.sku, each.price * 2, ["doubled"]) for each in order.items])


@ms.task(name="typed-spoil")
def spoil(order: Order) -> Receipt:
    return {"total": "much"}  # type: ignore[typeddict-item]


@ms.task(name="typed-explain")
async def explain(why: str) -> str:
    return why


def test_in_a_workflow_values_travel_typed_from_task_to_task() -> None:
    """E9: a typed output is the next one's typed input; by a port too; a mismatch fails the node at its first attempt."""
    retry = {"maxAttempts": 3, "initialDelay": 1}
    wf = ms.Workflow(
        "typed",
        nodes=[
            ms.Node("price", "function", config={"handler": price}),
            ms.Node("again", "function", config={"handler": price}, depends_on=["price"]),
            ms.Node("spoil", "function", config={"handler": spoil}, depends_on=["price"], retry=retry),
            ms.Node("explain", "function", config={"handler": explain}),
        ],
        connections=[ms.Connection("price", "explain", source_port="invalid")],
    )
    done = ms.run(wf, input=ORDER)
    assert done.nodes["again"].output["items"] == [{"sku": "a", "price": 8.0, "tags": ["doubled"]}]
    spoilt = done.nodes["spoil"]
    assert (spoilt.status, spoilt.attempts) == ("failed", 1)
    assert spoilt.error is not None
    assert (spoilt.error.type, spoilt.error.message) == ("OutputMismatch", "output.total: expected float, got str")

    assert ms.run(wf, input={"id": 1, "items": []}).nodes["explain"].output == "empty"

    failed = ms.run(wf, input={"id": 1, "items": [{"sku": "a", "price": "2"}]}).nodes["price"]
    assert failed.status == "failed" and failed.error is not None
    assert failed.error.message == "input.items[0].price: expected float, got str"

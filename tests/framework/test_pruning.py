"""Answers of all versions, cut to what one version promised."""

from __future__ import annotations

from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apifold.schema.pruning import compile_pruner


def of(**members):
    return {"type": "object", "properties": members}


REF = {"$ref": "#/components/schemas/Tree"}


@pytest.mark.parametrize(
    ("whole", "part", "value", "cut"),
    [
        (of(a=True, b=True), of(a=True), {"a": 1, "b": 2, "other": 3}, {"a": 1, "other": 3}),
        (of(in_=of(a=True, b=True)), of(in_=of(a=True)), {"in_": {"a": 1, "b": 2}}, {"in_": {"a": 1}}),
        ({"items": of(a=True, b=True)}, {"items": of(a=True)}, [{"b": 1}, 5], [{}, 5]),
        ({"additionalProperties": of(a=True)}, {"additionalProperties": of()}, {"x": {"a": 1}}, {"x": {}}),
        ({"allOf": [of(a=True), of(b=True)]}, {"allOf": [of(a=True)]}, {"a": 1, "b": 2}, {"a": 1}),
        (of(a=True, b=True), of(a=True), None, None),
        (of(a=True, b=True), of(a=True), [1], [1]),
    ],
)
def test_what_this_version_does_not_have_goes(whole, part, value, cut):
    prune = compile_pruner(whole, {}, part, {})
    assert prune(value) == cut


class Thing(msgspec.Struct):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        (Thing(1, 2), {"a": 1}),
        (MappingProxyType({"a": 1, "b": 2}), {"a": 1}),
        ({"in_": (Thing(1, 2), {"b": 3})}, {"in_": [{"a": 1}, {}]}),
        (iter([Thing(1, 2)]), [{"a": 1}]),
    ],
    ids=["struct", "mapping", "tuple", "iterator"],
)
def test_whatever_a_handler_may_answer_with_is_cut(value, cut):
    whole, part = of(a=True, b=True), of(a=True)
    lists = (
        {"items": whole} | of(a=True, b=True, in_={"items": whole}),
        {"items": part} | of(a=True, in_={"items": part}),
    )
    pruned = compile_pruner(lists[0], {}, lists[1], {})(value)
    assert (pruned if isinstance(pruned, dict) else list(pruned)) == cut


@given(value=st.recursive(st.none() | st.integers(), lambda below: st.dictionaries(st.sampled_from("abc"), below)))
def test_the_value_itself_is_left_as_it_is(value):
    before = repr(value)
    compile_pruner(of(a=True, b=of(c=True)), {}, of(b=of()), {})(value)
    assert repr(value) == before


def test_where_nothing_goes_nothing_is_done():
    tree = {"Tree": of(a=True, below={"type": "array", "items": REF})}
    assert compile_pruner(REF, tree, REF, tree) is None
    assert compile_pruner(of(a=True), {}, of(a=True, b=True), {}) is None


def test_a_schema_may_lead_back_to_itself():
    whole = {"Tree": of(a=True, b=True, below={"type": "array", "items": REF})}
    now = {"Tree": of(a=True, below={"type": "array", "items": REF})}
    prune = compile_pruner(REF, whole, REF, now)
    assert prune({"b": 1, "below": [{"b": 2, "a": 3, "below": []}]}) == {"below": [{"a": 3, "below": []}]}

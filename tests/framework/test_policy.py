"""The rule language, held against oslo.policy itself."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from oslo_config import cfg
from oslo_policy import policy as oslo

from apifold.access.policy import Policy, PolicyErrors, load_policy
from apifold.errors import DescriptionErrors
from apifold.exchange import Caller

ROLES = ("admin", "member", "reader")
CHECKS = (
    "@",
    "!",
    "role:admin",
    "role:Member",
    "role:nobody",
    "user_id:%(user_id)s",
    "project_id:%(project_id)s",
    "project_id:%(owner)s",
    "project_id:%(missing)s",
    "'shared':%(visibility)s",
    '"shared":%(visibility)s',
    "True:%(public)s",
    "None:%(nothing)s",
    "user_id:ada",
    "rule:other",
)

texts = some.recursive(
    some.sampled_from(CHECKS),
    lambda inner: some.one_of(
        some.tuples(inner, inner).map(" and ".join),
        some.tuples(inner, inner).map(" or ".join),
        inner.map("not ({})".format),
        inner.map("({})".format),
    ),
    max_leaves=8,
)
callers = some.builds(
    Caller,
    user=some.sampled_from(("ada", "bob")),
    project=some.sampled_from(("lab", "ops")),
    roles=some.frozensets(some.sampled_from(ROLES)),
)
targets = some.fixed_dictionaries(
    {"user_id": some.sampled_from(("ada", "bob")), "project_id": some.sampled_from(("lab", "ops"))},
    optional={
        "owner": some.sampled_from(("lab", "ops")),
        "visibility": some.sampled_from(("shared", "private")),
        "public": some.booleans(),
        "nothing": some.none(),
    },
)


@settings(max_examples=400, deadline=None)
@given(
    text=texts,
    other=some.sampled_from([check for check in CHECKS if check != "rule:other"]),
    caller=callers,
    target=targets,
)
def test_every_rule_decides_as_oslo_policy_does(text, other, caller, target):
    ours = Policy({"it": text, "other": other}).rule("it")(caller, target)
    enforcer = oslo.Enforcer(cfg.ConfigOpts(), use_conf=False)
    enforcer.set_rules(oslo.Rules.from_dict({"it": text, "other": other}), use_conf=False)
    credentials = {"user_id": caller.user, "project_id": caller.project, "roles": sorted(caller.roles)}
    assert ours == bool(enforcer.enforce("it", dict(target), credentials)), text


@settings(max_examples=200, deadline=None)
@given(
    text=texts | some.just("role:%(missing)s") | some.just("user_id:%(visibility)s-%(owner)s"),
    caller=callers,
    captured=some.dictionaries(
        some.sampled_from(("project_id", "owner", "visibility")), some.sampled_from(("lab", "ops", "ada"))
    ),
)
def test_a_rule_on_a_path_decides_as_it_does_on_a_mapping(text, caller, captured):
    policy = Policy({"it": text, "other": "role:member"})
    target = {"project_id": caller.project, "user_id": caller.user, **captured}
    on_path = policy.path_rule("it", tuple(captured))(caller, list(captured.values()))
    assert on_path == policy.rule("it")(caller, target), text


def test_a_role_that_nothing_names_is_nobodys():
    caller = Caller("ada", "lab", frozenset(("none",)))
    policy = Policy({"it": "role:%(wanted)s"})
    assert not policy.rule("it")(caller, {})
    assert not policy.path_rule("it", ())(caller, ())
    assert policy.rule("it")(caller, {"wanted": "None"})


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("role:a and", "missing at its end"),
        ("and role:a", "where a check should"),
        ("(role:a", "`)` is missing"),
        ("role:a)", "should have ended"),
        ("role:a role:b", "should have ended"),
        ("nonsense", "no check"),
        ("rule:nowhere", "not there"),
        ("rule:it", "back to itself"),
        ("http://example.com/%(name)s", "not supported"),
        ("'a:b", "quote"),
        (5, "text, or a list"),
    ],
)
def test_a_rule_that_can_not_be_read_is_refused(rule, says):
    with pytest.raises(PolicyErrors, match=re.escape(says)):
        Policy({"it": rule})


def test_a_list_of_lists_is_an_or_of_ands():
    policy = Policy({"it": [["role:admin"], ["role:reader", "user_id:%(user_id)s"]], "all": []})
    reader = Caller("ada", "lab", frozenset(("reader",)))
    assert policy.rule("it")(reader, {"user_id": "ada"})
    assert not policy.rule("it")(reader, {"user_id": "bob"})
    assert policy.rule("all")(reader, {})


def test_what_the_identity_service_told_can_be_asked():
    policy = Policy({"it": "domain_id:%(domain)s", "admin": "is_admin:True"})
    caller = Caller("ada", names=(("domain_id", "d1"),), roles=frozenset(("admin",)))
    assert policy.rule("it")(caller, {"domain": "d1"})
    assert not policy.rule("it")(caller, {"domain": "d2"})
    assert policy.rule("admin")(caller, {})


def test_a_second_file_replaces_rule_by_rule(tmp_path):
    (tmp_path / "policy.yaml").write_text('"a": "role:reader"\n"b": "rule:a"\n')
    (tmp_path / "mine.json").write_text(json.dumps({"a": "role:admin", "c": "@"}))
    policy = load_policy(tmp_path / "policy.yaml", tmp_path / "mine.json")
    reader = Caller(roles=frozenset(("reader",)))
    assert policy.names == ("a", "b", "c")
    assert not policy.rule("b")(reader, {})
    assert policy.rule("c")(reader, {})


def test_every_mistake_of_a_file_has_its_line(tmp_path):
    (tmp_path / "policy.yaml").write_text('"a": "role:x or"\n"b": "@"\n"c": "rule:z"\n')
    with pytest.raises(DescriptionErrors) as caught:
        load_policy(tmp_path / "policy.yaml")
    assert [error.line for error in caught.value.errors] == [1, 3]

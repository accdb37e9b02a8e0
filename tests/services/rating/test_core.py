"""The rating core by calls: exact numbers, the hashmap's prices, storage, rules, the pipeline; on every store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apifold import Conflict, Deployment, Invalid, NotFound, Page, Settings, SettingsError
from apifold_services.rating.core import exact
from apifold_services.rating.core.collect import Used
from apifold_services.rating.core.hashmap import NO_GROUP, Hashmap, Rule
from apifold_services.rating.core.metrics import Metrics
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.points import Frame, Period, Point
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.core.rules import Draft, MappingQuery
from apifold_services.rating.core.storage import Asked, calendar

HERE = Path(__file__).parent
JULY = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hour(number, begin=JULY):
    return Period(begin + number * HOUR, begin + (number + 1) * HOUR)


# --- numbers


@given(st.decimals(allow_nan=False, allow_infinity=False, places=28, min_value=-(10**17), max_value=10**17))
def test_a_number_comes_back_as_it_was(number):
    parts = exact.split(number)
    assert exact.joined(parts) == number
    assert all(abs(part) < 10**10 for part in parts)


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**6), max_value=10**6)))
def test_columns_are_added_up_exactly(numbers):
    split = [exact.split(number) for number in numbers]
    sums = [sum(column) for column in zip(*split, strict=True)] if split else [0] * 5
    assert exact.joined(sums) == sum(numbers, Decimal(0))


@pytest.mark.parametrize("text", ["1e18", "-1e18", "1e-29", "NaN", "Infinity"])
def test_what_can_not_be_kept_exactly_is_refused(text):
    with pytest.raises(ValueError, match="a number"):
        exact.split(Decimal(text))


@pytest.mark.parametrize(
    ("text", "shown"), [("1.500", "1.5"), ("100", "100"), ("0.00", "0"), ("1e3", "1000"), ("0E-27", "0")]
)
def test_numbers_are_shown_plainly(text, shown):
    assert str(exact.plain(Decimal(text))) == shown


# --- the hashmap


def cases():
    return [json.loads(line) for line in (HERE / "hashmap.jsonl").read_text().splitlines()]


def in_force(rule, at):
    now = at or "2026-11-01"
    return not rule.get("deleted") and rule.get("start", "") <= now and (not rule.get("end") or rule["end"] > now)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["case"])
def test_prices_are_those_of_the_original(case):
    """Prices that CloudKitty 25.0.0's own module gave, with exact costs."""
    rules = [
        Rule(
            one["service"],
            one.get("field", ""),
            one.get("group", NO_GROUP),
            one["kind"],
            Decimal(one["cost"]),
            one.get("value", ""),
            Decimal(one["level"]) if "level" in one else None,
            one.get("tenant", ""),
        )
        for one in case["rules"]
        if in_force(one, case["at"])
    ]
    usage = {
        metric: tuple(
            Point("u", Decimal(str(qty)), Decimal(str(price)), groupby, metadata)
            for qty, price, groupby, metadata in points
        )
        for metric, points in case["frame"].items()
    }
    priced = Hashmap(rules, case["tenant"]).rate(Frame(hour(0), usage))
    found = {metric: [point.price for point in points] for metric, points in priced.usage.items()}
    assert found == {metric: [Decimal(price) for price in prices] for metric, prices in case["prices"].items()}


def test_a_field_that_is_no_number_reaches_no_level():
    rule = Rule("cpu", "size", NO_GROUP, "flat", Decimal(5), level=Decimal(1))
    points = tuple(Point("u", Decimal(1), metadata={"size": size}) for size in ("2", "large", "NaN", ""))
    priced = Hashmap([rule], "").rate(Frame(hour(0), {"cpu": points}))
    assert [point.price for point in priced.usage["cpu"]] == [5, 0, 0, 0]


# --- everything that is kept


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def deployment(request, tmp_path):
    """A deployment on each database."""
    url = ""
    if request.param == "postgresql":
        import sqlalchemy

        url = request.getfixturevalue("postgresql_url")
        engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        engine.dispose()
    made = Deployment(Settings(state=str(tmp_path), database=url))
    yield made
    made.close()


@pytest.fixture
def core(deployment):
    return RatingCore(deployment, Options())


def point(qty, price=0, /, **labels):
    return Point("u", Decimal(str(qty)), Decimal(str(price)), labels, {"m": "x"})


def push(core, *frames):
    with core.database.writing() as connection:
        core.storage.push(connection, frames)


def summed(core, *groups, page=None, **filters):
    asked = Asked(Period(JULY, JULY + timedelta(days=400)), {name: (value,) for name, value in filters.items()}, groups)
    return core.storage.summary(asked, page or Page(100))


@pytest.fixture
def stored(core):
    push(
        core,
        Frame(
            hour(0), {"cpu": (point(1, "0.1", project_id="a", flavor="s"), point(2, "0.2", project_id="b", flavor="s"))}
        ),
        Frame(
            hour(1), {"cpu": (point(1, "0.1", project_id="a", flavor="l"),), "ram": (point("0.5", 3, project_id="a"),)}
        ),
        Frame(hour(24), {"cpu": (point(1, "0.7", project_id="a", flavor="s"),)}),
    )
    return core


def test_what_is_kept_comes_back_in_order(stored):
    page = Page(100)
    frames = stored.storage.frames(Asked(Period(JULY, JULY + timedelta(days=2))), page)
    assert page.total == 5
    assert [frame.period for frame in frames] == [hour(0), hour(1), hour(24)]
    assert [one.price for one in frames[0].usage["cpu"]] == [Decimal("0.1"), Decimal("0.2")]
    assert frames[1].usage["ram"][0] == point("0.5", 3, project_id="a")


def test_periods_are_half_open(stored):
    page = Page(100)
    asked = Asked(Period(JULY + HOUR, JULY + 24 * HOUR))
    assert [frame.period for frame in stored.storage.frames(asked, page)] == [hour(1)]
    assert stored.storage.frames(Asked(Period(JULY + HOUR, JULY)), page) == []
    assert page.total == 0


def test_sums_are_exact(stored):
    (one,) = summed(stored)
    assert (one.qty, one.price, one.count, one.groups) == (Decimal("5.5"), Decimal("4.1"), 5, {})
    assert [(dict(one.groups), one.price) for one in summed(stored, "type", "project_id")] == [
        ({"type": "cpu", "project_id": "a"}, Decimal("0.9")),
        ({"type": "cpu", "project_id": "b"}, Decimal("0.2")),
        ({"type": "ram", "project_id": "a"}, Decimal("3")),
    ]
    assert [(one.groups["flavor"], one.qty) for one in summed(stored, "flavor", type="cpu")] == [("l", 1), ("s", 4)]
    assert [one.groups["flavor"] for one in summed(stored, "flavor")] == ["", "l", "s"]
    assert [one.period for one in summed(stored, "time")] == [hour(0), hour(1), hour(24)]
    assert [(one.groups["time-d"], one.price) for one in summed(stored, "time-d")] == [
        ("182", Decimal("3.4")),
        ("183", Decimal("0.7")),
    ]
    assert [one.groups for one in summed(stored, "time-m", "time-y")] == [{"time-m": "7", "time-y": "2026"}]


def test_filters_look_at_all_attributes(stored):
    assert summed(stored, project_id="b")[0].qty == 2
    assert summed(stored, m="x")[0].count == 5
    assert summed(stored, m="y") == []
    assert summed(stored, nothing="y") == []


@pytest.mark.parametrize("name", ["a b", 'a"b', "a'b", "$.x", "", "a" * 129, "x\u0000"])
def test_what_is_no_name_of_an_attribute_is_refused(stored, name):
    with pytest.raises(Invalid):
        summed(stored, name)
    with pytest.raises(Invalid):
        summed(stored, **{name: "x"})


def test_pushed_calendar_attributes_win(core):
    push(core, Frame(hour(0), {"cpu": (point(1, 1, month="12"), point(1, 2))}))
    assert [(one.groups["time-m"], one.price) for one in summed(core, "time-m")] == [("12", 1), ("7", 2)]
    assert calendar(datetime(2026, 1, 4, tzinfo=UTC)) == {
        "day_of_the_year": "4",
        "week_of_the_year": "1",
        "month": "1",
        "year": "2026",
    }


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_groups_and_points_hold_everything_once(stored, limit):
    whole = summed(stored, "type", "project_id")
    found = []
    for offset in range(0, 6, limit):
        page = Page(limit, offset=offset)
        found += summed(stored, "type", "project_id", page=page)
        assert page.total == 3
    assert found == whole
    points = []
    for offset in range(0, 6, limit):
        frames = stored.storage.frames(Asked(Period(JULY, JULY + timedelta(days=2))), Page(limit, offset=offset))
        points += [one for frame in frames for some in frame.usage.values() for one in some]
    assert len(points) == 5


def test_what_is_forgotten_is_gone_for_one_scope_only(stored):
    with stored.database.writing() as connection:
        stored.storage.forget(connection, Asked(Period(JULY + HOUR, JULY + timedelta(days=9)), {"project_id": ("a",)}))
    assert {one.groups["project_id"]: one.price for one in summed(stored, "project_id")} == {
        "a": Decimal("0.1"),
        "b": Decimal("0.2"),
    }


def test_series_are_kept_once(stored):
    push(stored, Frame(hour(30), {"cpu": (point(1, 1, project_id="a", flavor="s"),)}))
    other = RatingCore(stored.deployment, Options())
    push(other, Frame(hour(31), {"cpu": (point(1, 1, project_id="a", flavor="s"),)}))
    from sqlalchemy import func, select

    from apifold_services.rating.core.tables import series

    with stored.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(series)) == 4


# --- rules


def now():
    return datetime.now(UTC).replace(microsecond=0)


def test_services_fields_and_groups(core):
    rules = core.rules
    cpu = rules.add("service", name="cpu")
    with pytest.raises(Conflict, match=f"Service cpu already exists .UUID: {cpu['service_id']}"):
        rules.add("service", name="cpu")
    flavor = rules.add("field", name="flavor", service_id=cpu["service_id"])
    with pytest.raises(Conflict, match="Field flavor already exists"):
        rules.add("field", name="flavor", service_id=cpu["service_id"])
    with pytest.raises(Invalid, match="No such service"):
        rules.add("field", name="flavor", service_id="nope")
    assert rules.all_of("field", service_id=cpu["service_id"])[0]["field_id"] == flavor["field_id"]
    rules.add_mapping(Draft(Decimal(1), field_id=flavor["field_id"], value="s"), "ada")
    rules.remove("service", cpu["service_id"])
    assert (rules.all_of("field"), rules.mappings(MappingQuery(with_deleted=True))) == ([], [])
    with pytest.raises(NotFound):
        rules.remove("service", cpu["service_id"])


@pytest.fixture
def cpu(core):
    return core.rules.add("service", name="cpu")["service_id"]


def test_mappings_that_make_no_sense_are_refused(core, cpu):
    rules = core.rules
    field = rules.add("field", name="flavor", service_id=cpu)["field_id"]
    for draft, message in (
        (Draft(Decimal(1)), "must specify one parent"),
        (Draft(Decimal(1), service_id=cpu, field_id=field, value="x"), "only specify one parent"),
        (Draft(Decimal(1), service_id=cpu, value="x"), "can't specify a value and a service_id"),
        (Draft(Decimal(1), field_id=field), "must specify a value for a field mapping"),
        (Draft(Decimal(1), service_id="nope"), "No such service: None .UUID: nope"),
        (Draft(Decimal(1), service_id=cpu, group_id="nope"), "No such group"),
        (Draft(Decimal(1), service_id=cpu, start=now() - HOUR), "start in the past"),
        (Draft(Decimal(1), service_id=cpu, end=now() - HOUR), "start after end"),
    ):
        with pytest.raises(Invalid, match=message):
            rules.add_mapping(draft, "")
    assert (
        rules.add_mapping(Draft(Decimal(1), service_id=cpu, start=now() - HOUR, force=True), "")["created_by"]
        == "unknown"
    )


def test_two_mappings_for_the_same_at_the_same_time_are_a_conflict(core, cpu):
    rules = core.rules
    first = rules.add_mapping(Draft(Decimal(1), service_id=cpu, start=now() + HOUR, end=now() + 5 * HOUR), "ada")
    with pytest.raises(Conflict, match="Mapping '' already exists for service"):
        rules.add_mapping(Draft(Decimal(2), service_id=cpu, start=now() + 2 * HOUR), "ada")
    rules.add_mapping(Draft(Decimal(2), service_id=cpu, start=now() + 6 * HOUR), "ada")
    rules.add_mapping(Draft(Decimal(2), service_id=cpu, start=now() + HOUR, tenant_id="t"), "ada")
    with pytest.raises(Conflict):
        rules.add_mapping(Draft(Decimal(2), service_id=cpu, tenant_id="other", name=first["name"]), "ada")
    rules.remove_mapping(first["mapping_id"], "bob")
    rules.add_mapping(Draft(Decimal(3), service_id=cpu, start=now() + HOUR, end=now() + 2 * HOUR), "ada")
    kept = rules.mapping(first["mapping_id"])
    assert (kept["deleted_by"], kept["deleted"] is not None) == ("bob", True)
    assert len(rules.mappings(MappingQuery())) == 3
    assert len(rules.mappings(MappingQuery(with_deleted=True))) == 4
    assert [one["tenant_id"] for one in rules.mappings(MappingQuery(by_tenant=True, tenant_id="t"))] == ["t"]


def test_a_mapping_in_force_may_only_be_ended(core, cpu):
    rules = core.rules
    running = rules.add_mapping(Draft(Decimal(1), service_id=cpu), "ada")["mapping_id"]
    with pytest.raises(Invalid, match=r"only the attribute \[end\]"):
        rules.change_mapping(running, {"cost": "2"}, "bob")
    assert rules.change_mapping(running, {"cost": "1"}, "bob")["updated_by"] is None, "nothing changes"
    ended = rules.change_mapping(running, {"end": int((now() + HOUR).timestamp())}, "bob")
    assert ended["updated_by"] == "bob"
    with pytest.raises(Invalid, match="already processed and has a defined end"):
        rules.change_mapping(running, {"end": int((now() + 2 * HOUR).timestamp())}, "bob")
    future = rules.add_mapping(Draft(Decimal(1), service_id=cpu, start=now() + 2 * HOUR), "ada")["mapping_id"]
    assert rules.change_mapping(future, {"cost": "7", "description": "d"}, "bob")["cost"] == "7"


def test_thresholds_are_replaced_whole_and_not_doubled(core, cpu):
    rules = core.rules
    made = rules.add_threshold(Draft(Decimal(5), "rate", service_id=cpu, level=Decimal(2)))
    with pytest.raises(Conflict, match="Threshold '2' already exists"):
        rules.add_threshold(Draft(Decimal(6), service_id=cpu, level=Decimal(2)))
    changed = rules.change_threshold(made["threshold_id"], Draft(Decimal(7), service_id=cpu, level=Decimal(3)))
    assert (changed["type"], changed["level"], changed["cost"]) == ("flat", "3", "7")
    rules.remove_threshold(made["threshold_id"])
    with pytest.raises(NotFound):
        rules.threshold(made["threshold_id"])


def test_a_group_goes_with_its_rules_or_without(core, cpu):
    rules = core.rules
    for recursive, left in ((False, 1), (True, 0)):
        group = rules.add("group", name="g")["group_id"]
        mapping = rules.add_mapping(Draft(Decimal(1), service_id=cpu, group_id=group, start=now() + HOUR), "")
        assert rules.group_of("mapping", mapping["mapping_id"])["name"] == "g"
        rules.remove_group(group, recursive=recursive)
        found = rules.mappings(MappingQuery(start=now()))
        assert len(found) == left
        for one in found:
            assert one["group_id"] is None
            with pytest.raises(NotFound, match="Mapping has no group"):
                rules.group_of("mapping", one["mapping_id"])
            rules.remove_mapping(one["mapping_id"], "")


def test_rules_hold_when_they_hold(core, cpu):
    rules = core.rules
    field = rules.add("field", name="flavor", service_id=cpu)["field_id"]
    rules.add_mapping(Draft(Decimal(1), service_id=cpu, start=JULY, end=JULY + HOUR, force=True), "")
    rules.add_mapping(Draft(Decimal(2), "rate", field_id=field, value="s", start=JULY + HOUR, force=True), "")
    rules.add_threshold(Draft(Decimal("0.5"), service_id=cpu, level=Decimal("1.5")))
    threshold = Rule("cpu", "", NO_GROUP, "flat", Decimal("0.5"), level=Decimal("1.5"))
    assert rules.in_force(JULY) == [Rule("cpu", "", NO_GROUP, "flat", Decimal(1)), threshold]
    assert rules.in_force(JULY + HOUR) == [Rule("cpu", "flavor", NO_GROUP, "rate", Decimal(2), "s"), threshold]
    assert rules.in_force(JULY - HOUR) == [threshold]


# --- metrics


def test_values_become_quantities(tmp_path):
    file = tmp_path / "metrics.yml"
    file.write_text(
        """
        metrics:
          cpu: {unit: instance, alt_name: instance, mutate: NUMBOOL, groupby: [id], metadata: [flavor]}
          bytes: {unit: MiB, factor: 1/1048576, offset: 0.5}
          temperature: [{unit: C, mutate: CEIL, alt_name: up}, {unit: C, mutate: FLOOR, alt_name: down}]
          state: {unit: s, mutate: MAP, mutate_map: {1: 0.25, 2.0: 4}}
          off: {unit: s, mutate: NOTNUMBOOL}
        """
    )
    metrics = Metrics.read(file, "project_id").by_type
    rows = [
        ("instance", "3", "1"), ("instance", "0", "0"), ("bytes", "1048576", "1.5"), ("bytes", "1", "0.50000095367431640625"),
        ("up", "1.2", "2"), ("down", "1.8", "1"), ("state", "2", "4"), ("state", "1.0", "0.25"), ("state", "9", "0"), ("off", "0", "1"),
    ]  # fmt: skip
    assert [str(metrics[name].quantity(Decimal(value))) for name, value, _ in rows] == [
        quantity for *_, quantity in rows
    ]
    assert metrics["instance"].groupby == ("id", "project_id")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{}", "unit"),
        ("{unit: s, groupby: [a], metadata: [a]}", "can't be in groupby and in metadata"),
        ("{unit: s, factor: many}", "no number"),
        ("{unit: s, factor: 1/0}", "no number"),
        ("{unit: s, mutate: HALF}", "HALF|enum"),
        ("{unit: s, mutate: MAP}", "need each other"),
        ("{unit: s, skip_datapoints_expression: 'True'}", "not supported"),
        ("{unit: s, colour: red}", "colour"),
    ],
)
def test_metrics_that_make_no_sense_are_refused(tmp_path, said, message):
    file = tmp_path / "metrics.yml"
    file.write_text(f"metrics:\n  cpu: {said}\n")
    with pytest.raises(SettingsError, match=message):
        Metrics.read(file, "project_id")


# --- modules and scripts


def test_modules_price_by_priority(core, cpu):
    assert [(one.processor.name, one.enabled, one.priority) for one in core.modules.all()] == [
        ("hashmap", False, 1),
        ("noop", True, 1),
        ("pyscripts", False, 1),
    ]
    core.rules.add_mapping(Draft(Decimal(3), service_id=cpu, start=JULY, force=True), "")
    frame = Frame(hour(0), {"cpu": (point(2),)})
    assert core.modules.rate(frame, "a", JULY).usage["cpu"][0].price == 0
    core.modules.change("hashmap", enabled=True, priority=7)
    assert core.modules.rate(frame, "a", JULY).usage["cpu"][0].price == 6
    assert core.modules.change("noop", enabled=False).enabled
    with pytest.raises(NotFound, match="Module 'nope' not found"):
        core.modules.change("nope", enabled=True)


def scripted(deployment, text, frame=None):
    core = RatingCore(deployment, Options(pyscripts=True))
    core.scripts.add("s", text, "ada", start=JULY, force=True)
    return core.scripts.rate(frame or Frame(hour(0), {"cpu": (point("2.5", "0.1"), point(1))}), JULY)


def test_scripts_change_prices(deployment):
    text = """
for point in data["usage"]["cpu"]:
    point["rating"]["price"] += point["vol"]["qty"] * Decimal("0.3")
"""
    assert [one.price for one in scripted(deployment, text).usage["cpu"]] == [Decimal("0.85"), Decimal("0.3")]


@pytest.mark.parametrize(
    "text",
    [
        "open('/etc/passwd')",
        "import socket; socket.socket()",
        "import os; os.open('/tmp/x', os.O_CREAT)",
        "while True: pass",
        "x = 'a' * (1 << 40)",
        "data = {}",
        "data['usage']['cpu'][0]['rating']['price'] = 'NaN'",
        "raise ValueError('no')",
    ],
)
def test_a_script_can_do_nothing_else(deployment, text, monkeypatch):
    from apifold_services.rating.core import scripts

    monkeypatch.setattr(scripts, "LIMITS", scripts.Limits(seconds=3, cpu_seconds=1, memory=512 << 20, output=1 << 20))
    with pytest.raises(scripts.ScriptFailed):
        scripted(deployment, text)


def test_scripts_are_off_unless_they_are_on(core):
    with pytest.raises(Invalid, match="Scripts are off here"):
        core.scripts.add("s", "pass", "ada")
    on = RatingCore(core.deployment, Options(pyscripts=True))
    with pytest.raises(Invalid, match="no Python"):
        on.scripts.add("s", "if:", "ada")
    made = on.scripts.add("s", "pass", "ada")
    with pytest.raises(Conflict, match="Script s already exists"):
        on.scripts.add("s", "pass", "ada")
    on.scripts.remove(made["script_id"], "ada")
    with pytest.raises(NotFound):
        on.scripts.get(made["script_id"])
    on.scripts.add("s", "pass", "ada")


# --- the pipeline


@pytest.fixture
def pipeline(deployment):
    """A core that rates minutes of pushed usage, with a rule that a minute of cpu costs 2."""
    core = RatingCore(deployment, Options(period=60, wait_periods=0))
    core.modules.change("hashmap", enabled=True)
    service = core.rules.add("service", name="instance")["service_id"]
    core.rules.add_mapping(Draft(Decimal(2), service_id=service, start=JULY, force=True), "")
    return core


def minute(number):
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now - timedelta(minutes=number)


def used(core, *minutes, scope="a", value=1):
    labels = {"id": "i", "flavor_id": "s"}
    core.push([Used("cpu", scope, minute(one), Decimal(value), labels) for one in minutes])


def scoped(core, *, back, scope="a"):
    options = core.options
    return core.scopes.add(
        scope,
        scope_key=options.scope_key,
        fetcher=options.fetcher,
        collector=options.collector,
        last_processed=minute(back),
    )


def rated(core):
    found = core.storage.frames(Asked(Period(minute(1000), minute(-10))), Page(1000))
    return [(frame.period.begin, [one.price for some in frame.usage.values() for one in some]) for frame in found]


def run(core, stopped=lambda: False):
    core.work(stopped)


def test_usage_is_rated_period_by_period(pipeline):
    scoped(pipeline, back=5)
    used(pipeline, 5, 3)
    run(pipeline)
    (first, second) = rated(pipeline)
    assert (first[1], second[1], second[0] - first[0]) == ([2], [2], timedelta(minutes=2))
    assert first[0] in (minute(5), minute(6)), "a minute may have begun meanwhile"
    (scope,) = pipeline.scopes.all()
    assert scope.last_processed >= minute(1), "periods without usage are done, too"
    before = rated(pipeline)
    run(pipeline)
    assert rated(pipeline) == before


def test_new_scopes_are_met_and_begin_with_the_month(pipeline):
    used(pipeline, 1, scope="new")
    run(pipeline, stopped=lambda: True)
    (scope,) = pipeline.scopes.all()
    assert (scope.scope_id, scope.last_processed, scope.active) == ("new", None, True)
    assert pipeline.pipeline.due(scope, datetime.now(UTC)).begin.day == 1


def test_a_period_waits_until_it_is_over_for_long_enough(deployment):
    core = RatingCore(deployment, Options(period=60, wait_periods=2))
    scope = scoped(core, back=3)
    begin = minute(3)
    assert core.pipeline.due(scope, begin + timedelta(seconds=180)) is None
    assert core.pipeline.due(scope, begin + timedelta(seconds=181)) == Period(begin, begin + timedelta(seconds=60))


def test_inactive_scopes_are_left_alone(pipeline):
    scope = scoped(pipeline, back=5)
    pipeline.scopes.change(scope, active=False)
    used(pipeline, 5)
    run(pipeline)
    assert rated(pipeline) == []
    pipeline.scopes.change(scope, active=True)
    run(pipeline)
    assert len(rated(pipeline)) == 1


def test_two_that_rate_the_same_leave_it_once(pipeline):
    """A second process overtakes the first while that prices."""
    scoped(pipeline, back=2)
    used(pipeline, 2)
    other = RatingCore(pipeline.deployment, pipeline.options)
    overtaken = []

    class Slow:
        name, description, hot_config = "slow", "", False

        def rate(self, frame, tenant, at):
            if not overtaken:
                overtaken.append(at)
                run(other)
            return frame

    pipeline.modules.processors["slow"] = Slow()
    pipeline.modules.change("slow", enabled=True)
    other.modules.processors.pop("slow", None)
    run(pipeline)
    assert overtaken
    assert rated(pipeline) == [(minute(2), [2])]


def test_a_collector_that_fails_stops_its_scope_and_no_other(pipeline, caplog):
    scoped(pipeline, back=3, scope="a")
    scoped(pipeline, back=3, scope="b")
    used(pipeline, 3, scope="b")
    collector = pipeline.pipeline.sources.collector
    collect = type(collector).collect

    class Failing(type(collector)):
        def collect(self, metric, period, scope_key, scope_id):
            if scope_id == "a":
                raise RuntimeError("no answer")
            return collect(self, metric, period, scope_key, scope_id)

    collector.__class__ = Failing
    run(pipeline)
    assert len(rated(pipeline)) == 1
    assert "a can't be rated" in caplog.text
    last = {scope.scope_id: scope.last_processed for scope in pipeline.scopes.all()}
    assert last["a"] == minute(3)


def test_a_scope_is_set_back_with_its_data(pipeline):
    scope = scoped(pipeline, back=5)
    used(pipeline, 5, 4, 3)
    run(pipeline)
    assert len(rated(pipeline)) == 3
    core = RatingCore(pipeline.deployment, pipeline.options)
    core.scopes.want_reset([scope], minute(4))
    used(core, 4, value=0)
    run(core)
    assert [begin for begin, _ in rated(core)] == [minute(5), minute(4), minute(3)]
    assert core.scopes.get(scope.id).reset_to is None


def test_a_past_is_rated_again_by_the_rules_of_then(pipeline):
    scoped(pipeline, back=6)
    used(pipeline, 6, 5, 4, 3)
    run(pipeline)
    service = pipeline.rules.all_of("service")[0]["service_id"]
    group = pipeline.rules.add("group", name="late")["group_id"]
    pipeline.rules.add_mapping(Draft(Decimal(1), service_id=service, group_id=group, start=minute(4), force=True), "")
    midnight = minute(5).replace(hour=0, minute=0)
    assert (minute(5) - midnight) % timedelta(minutes=1) == timedelta(0)
    pipeline.reprocesses.schedule(["a"], Period(minute(5), minute(3)), "a rule was forgotten")
    run(pipeline, stopped=iter([False, True, True, True, True, True]).__next__)
    (task,) = pipeline.reprocesses.page((), Page(10), descending=True)
    assert task.current == minute(4), "it was stopped after one period"
    run(pipeline)
    assert pipeline.reprocesses.get(task.id).is_done
    assert rated(pipeline) == [(minute(6), [2]), (minute(5), [2]), (minute(4), [3]), (minute(3), [2])]


def test_pasts_that_can_not_be_rated_again_are_refused(pipeline):
    scoped(pipeline, back=6)
    run(pipeline)
    schedule = pipeline.reprocesses.schedule
    good = Period(minute(5), minute(3))
    for scopes, period, reason, message in (
        (["a"], good, "  ", "blank reason"),
        (["ALL", "a"], good, "r", "Cannot use 'ALL'"),
        (["a"], Period(minute(3), minute(5)), "r", "cannot be less than start"),
        (["a"], Period(minute(5) + timedelta(seconds=5), minute(3)), "r", "nearest valid one"),
        (["b"], good, "r", "do not exist"),
        (["a"], Period(minute(5), minute(-9)), "r", "End reprocess timestamp"),
    ):
        with pytest.raises(Invalid, match=message):
            schedule(scopes, period, reason)
    schedule(["ALL"], good, "r")
    with pytest.raises(Invalid, match="already has a schedule"):
        schedule(["a"], Period(minute(4), minute(2)), "r")


def test_a_collector_or_fetcher_that_is_not_there_is_told(deployment):
    for options in (Options(collector="gnocchi"), Options(fetcher="gnocchi"), Options(collector="prometheus")):
        with pytest.raises(SettingsError, match=r"there are:|say its address"):
            _ = RatingCore(deployment, options).pipeline


# --- the shape of v1


@pytest.fixture
def flat(deployment):
    return RatingCore(deployment, Options(storage=1))


def test_the_shape_of_v1_holds_the_same(flat):
    assert flat.storage.version == 1
    assert [(one.price, one.count) for one in summed(flat)] == [(0, 0)], "the sum of nothing is a row"
    push(
        flat,
        Frame(hour(0), {"cpu": (point(1, "0.1", project_id="a"), point(2, "0.2", project_id="b"))}),
        Frame(hour(1), {"ram": (point("0.5", 3, project_id="a"),)}),
    )
    assert [(one.groups, one.price) for one in summed(flat, "project_id", "type")] == [
        ({"project_id": "a", "type": "cpu"}, Decimal("0.1")),
        ({"project_id": "a", "type": "ram"}, 3),
        ({"project_id": "b", "type": "cpu"}, Decimal("0.2")),
    ]
    assert summed(flat, m="x", type="cpu")[0].price == Decimal("0.3")
    page = Page(2, offset=1)
    frames = flat.storage.frames(Asked(Period(JULY, JULY + 2 * HOUR)), page)
    assert (page.total, [list(frame.usage) for frame in frames]) == (3, [["cpu"], ["ram"]])
    assert len(flat.storage.frames(Asked(Period(JULY, JULY + HOUR)), Page(9))) == 2, "ends are included"
    with flat.database.writing() as connection:
        flat.storage.forget(connection, Asked(Period(JULY, JULY + HOUR), {"project_id": ("a",)}))
    assert [one.price for one in summed(flat)] == [Decimal("3.2")]
    with pytest.raises(Invalid):
        summed(flat, "time")


def test_the_pipeline_rates_into_the_shape_of_v1(deployment):
    core = RatingCore(deployment, Options(period=60, wait_periods=0, storage=1))
    scoped(core, back=3)
    used(core, 3, 2)
    run(core)
    assert summed_now(core) == 2
    core.scopes.want_reset(core.scopes.all(), minute(2))
    run(core)
    assert summed_now(core) == 2


def summed_now(core):
    (one,) = core.storage.summary(Asked(Period(minute(100), minute(-100))), Page(9))
    return one.qty

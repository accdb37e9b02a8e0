"""Collections and kept answers, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from apifold.errors import (
    Conflict,
    DescriptionErrors,
    Invalid,
    NotFound,
    PreconditionFailed,
    SettingsError,
    Unavailable,
    Unprocessable,
)
from apifold.store import Collection, CollectionSpec, Database, KeptAnswers, Query, migrate, open_database

SPEC = CollectionSpec(unique=("name",), filterable=("name", "size", "up"), sortable=("name", "size"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    """An empty database of each kind."""
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{tmp_path}/test.db")
    else:
        opened = open_database(request.getfixturevalue("postgresql_url"))
    yield opened
    if not opened.inline:
        with opened.writing() as connection:
            for table in ("apifold_documents", "apifold_answers", "apifold_version"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
    opened.close()


@pytest.fixture
def hosts(database):
    return Collection(database, "hosts", SPEC)


def test_a_document_is_read_as_it_was_written(hosts):
    body = {"name": "a", "nested": {"list": [1, 2.5, None, True, "ü"]}, "big": 2**53}
    made = hosts.create(body)
    read = hosts.read(made.id)
    assert (read.body, read.revision, read.created) == (body, 1, made.created)


def test_what_is_not_there_is_not_found(hosts):
    for do in (lambda: hosts.read("x"), lambda: hosts.replace("x", {}), lambda: hosts.delete("x")):
        with pytest.raises(NotFound):
            do()


def test_each_change_has_its_revision(hosts):
    made = hosts.create({"name": "a"})
    changed = hosts.replace(made.id, {"name": "b"}, expected=1)
    assert changed.revision == 2
    assert changed.updated > made.updated
    with pytest.raises(PreconditionFailed):
        hosts.replace(made.id, {"name": "c"}, expected=1)
    with pytest.raises(PreconditionFailed):
        hosts.delete(made.id, expected=1)
    assert hosts.read(made.id).body == {"name": "b"}
    hosts.delete(made.id, expected=2)
    with pytest.raises(NotFound):
        hosts.read(made.id)


def test_a_document_is_put_whether_it_is_there_or_not(hosts):
    assert hosts.put("a", {"name": "one"}).revision == 1
    changed = hosts.put("a", {"name": "two"})
    assert (changed.revision, hosts.read("a").body) == (2, {"name": "two"})
    with pytest.raises(PreconditionFailed):
        hosts.put("a", {"name": "three"}, expected=1)
    hosts.delete("a")
    with pytest.raises(PreconditionFailed, match="not there any more"):
        hosts.put("a", {"name": "four"}, expected=2)
    with pytest.raises(NotFound):
        hosts.read("a")


def test_a_change_that_raises_writes_nothing(hosts):
    made = hosts.create({"name": "a"})

    def refuse(body):
        body["name"] = "changed"
        raise Conflict("no")

    with pytest.raises(Conflict):
        hosts.change(made.id, refuse)
    assert hosts.read(made.id).revision == 1
    assert hosts.read(made.id).body == {"name": "a"}


def test_unique_fields_are_unique(hosts):
    hosts.create({"name": "a"})
    other = hosts.create({"name": "b"})
    with pytest.raises(Conflict, match="name is 'a'"):
        hosts.create({"name": "a"})
    with pytest.raises(Conflict, match="name is 'a'"):
        hosts.replace(other.id, {"name": "a"})
    hosts.create({"no": "name"})
    hosts.create({"no": "name"})
    with pytest.raises(Conflict):
        hosts.create({"name": "c"}, id=other.id)


def test_uniqueness_that_comes_too_late_is_told(database):
    plain = Collection(database, "late", CollectionSpec())
    plain.create({"name": "a"})
    plain.create({"name": "a"})
    with pytest.raises(DescriptionErrors, match="share a value of 'name'"):
        Collection(database, "late", CollectionSpec(unique=("name",)))


def test_collections_do_not_see_each_other(database, hosts):
    others = Collection(database, "others", SPEC)
    made = hosts.create({"name": "a"})
    others.create({"name": "a"})
    with pytest.raises(NotFound):
        others.read(made.id)
    assert len(others.page(Query()).items) == 1


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, "abcd"),
        ({"name": ("a",)}, "a"),
        ({"name": ("a", "c")}, "ac"),
        ({"size": (2,)}, "bc"),
        ({"up": (True,)}, "a"),
        ({"up": (False,), "size": (2,)}, "b"),
        ({"name": ("x' OR '1'='1",)}, ""),
    ],
)
def test_filters_leave_what_fits(hosts, filters, names):
    fill(hosts)
    assert "".join(one.body["name"] for one in hosts.page(Query(filters=filters)).items) == names


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ((), "abcd"),
        ((("name", True),), "dcba"),
        ((("size", False),), "abcd"),
        ((("size", True), ("name", True)), "cbad"),
        ((("created_at", True),), "dcba"),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_pages_hold_everything_once_in_its_order(hosts, sort, names, limit):
    fill(hosts)
    assert "".join(one.body["name"] for one in everything(hosts, sort, limit)) == names


def test_nothing_is_skipped_or_repeated_while_others_are_added(hosts):
    fill(hosts)
    first = hosts.page(Query(limit=2))
    hosts.create({"name": "e"})
    rest = hosts.page(Query(limit=10, marker=first.next_marker))
    assert [one.body["name"] for one in (*first.items, *rest.items)] == list("abcde")


def test_an_unknown_marker_is_refused(hosts):
    with pytest.raises(Invalid):
        hosts.page(Query(marker="nope"))


def test_a_total_is_counted_when_it_is_asked_for(hosts):
    fill(hosts)
    assert hosts.page(Query(limit=1, count=True, offset=1)).total == 4
    assert hosts.page(Query(limit=1)).total is None


@pytest.mark.parametrize("name", ["", "a b", "a'", 'a"', "1a", "a" * 64, "a;drop table x"])
def test_names_that_could_do_harm_are_refused(database, name):
    with pytest.raises(ValueError):
        Collection(database, name, CollectionSpec())
    with pytest.raises(ValueError):
        Collection(database, "ok", CollectionSpec(filterable=(name,)))


def test_of_many_changes_at_once_none_is_lost(hosts):
    made = hosts.create({"count": 0})

    def add(_):
        for _ in range(10):
            hosts.change(made.id, lambda body: {"count": body["count"] + 1})

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, range(6)))
    assert hosts.read(made.id).body == {"count": 60}


def test_writes_that_wait_are_committed_together_and_fail_alone(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/test.db")
    hosts = Collection(database, "hosts", SPEC)
    said = []
    with database.writing() as connection:
        connection.connection.driver_connection.set_trace_callback(said.append)
    said.clear()
    inside, go_on = threading.Event(), threading.Event()

    def change(body):
        inside.set()
        assert go_on.wait(10)
        return {**body, "size": 1}

    first = hosts.create({"name": "first"})
    said.clear()
    with ThreadPoolExecutor(12) as pool:
        slow = pool.submit(hosts.change, first.id, change)
        assert inside.wait(10)
        others = [pool.submit(hosts.create, {"name": name}) for name in ("a", "b", "a", "c", "d", "first")]
        while database._writer._waiting < len(others):
            time.sleep(0.001)
        assert hosts.read(first.id).revision == 1, "nothing is there before it is committed"
        go_on.set()
        assert slow.result().revision == 2
        errors = [type(error) for error in (other.exception() for other in others) if error]
    assert errors == [Conflict, Conflict]
    assert sorted(one.body["name"] for one in hosts.page(Query()).items) == ["a", "b", "c", "d", "first"]
    assert (said.count("BEGIN IMMEDIATE"), said.count("COMMIT")) == (1, 1)
    database.close()


def test_what_sqlite_takes_back_is_told_to_all_whom_it_concerns_and_to_nobody_else(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/test.db")
    hosts = Collection(database, "hosts", SPEC)
    first = hosts.create({"name": "first"})
    inside, go_on = threading.Event(), threading.Event()

    def lose(body):
        inside.set()
        assert go_on.wait(10)
        return {**body, "size": 1}

    def lost(number):
        with database.writing() as connection:
            # As SQLite does by itself when its disk is full.
            connection.connection.driver_connection.execute("ROLLBACK")

    with ThreadPoolExecutor(8) as pool:
        before = pool.submit(hosts.change, first.id, lose)
        assert inside.wait(10)
        breaking = pool.submit(lost, 1)
        while database._writer._waiting < 1:
            time.sleep(0.001)
        after = pool.submit(hosts.create, {"name": "after"})
        while database._writer._waiting < 2:
            time.sleep(0.001)
        go_on.set()
        assert [type(one.exception()) for one in (before, breaking)] == [Unavailable, Unavailable]
        assert after.result().revision == 1
    assert hosts.read(first.id).revision == 1
    assert sorted(one.body["name"] for one in hosts.page(Query()).items) == ["after", "first"]
    database.close()


def test_writes_of_several_processes_all_arrive(tmp_path):
    url = f"sqlite:///{tmp_path}/test.db"
    open_database(url).close()
    script = textwrap.dedent(
        """
        import sys
        from concurrent.futures import ThreadPoolExecutor
        from apifold.store import Collection, CollectionSpec, open_database
        database = open_database(sys.argv[1])
        hosts = Collection(database, "hosts", CollectionSpec())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: hosts.create({"number": number}), range(100)))
        database.close()
        """
    )
    running = [subprocess.Popen([sys.executable, "-c", script, url]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    database = open_database(url)
    assert Collection(database, "hosts", CollectionSpec()).page(Query(limit=1, count=True)).total == 300
    database.close()


def test_workers_that_start_at_once_migrate_once(tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    barrier = threading.Barrier(4)

    def start(_):
        database = Database(url)
        barrier.wait()
        migrate.upgrade(database)
        Collection(database, "hosts", SPEC).create({"n": 1})
        found = migrate.status(database)
        database.close()
        return found.pending

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(start, range(4))) == [()] * 4


def test_a_database_from_the_future_is_left_alone(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/new.db")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE apifold_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match="9999"):
        migrate.upgrade(database)
    database.close()


def test_a_database_that_is_none_is_told():
    with pytest.raises(SettingsError, match="not supported"):
        Database("mysql://x/y")
    with pytest.raises(SettingsError, match="no URL"):
        Database("what")


def test_an_answer_is_kept_for_its_key(database):
    kept = KeptAnswers(database)
    assert kept.begin("k", "f") is None
    with pytest.raises(Conflict):
        kept.begin("k", "f")
    kept.finish("k", 201, (("A", "b"),), b"body")
    again = kept.begin("k", "f")
    assert (again.status, again.headers, again.body) == (201, (("A", "b"),), b"body")
    with pytest.raises(Unprocessable):
        kept.begin("k", "other")


def test_an_abandoned_key_is_free_again(database):
    kept = KeptAnswers(database)
    kept.begin("k", "f")
    kept.abandon("k")
    assert kept.begin("k", "f") is None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies=some.lists(
        some.fixed_dictionaries({}, optional={"size": some.integers(-5, 5), "name": some.text(max_size=3)}), max_size=12
    ),
    limit=some.integers(1, 5),
    descending=some.booleans(),
)
def test_pages_of_any_documents_hold_everything_once(tmp_path_factory, bodies, limit, descending):
    database = open_database("sqlite://")
    try:
        things = Collection(database, "things", CollectionSpec(sortable=("size", "name")))
        for body in bodies:
            things.create(body)
        found = everything(things, (("size", descending), ("name", False)), limit)
        assert len(found) == len(bodies)
        sizes = [one.body.get("size") for one in found]
        known = [size for size in sizes if size is not None]
        assert known == sorted(known, reverse=descending)
        assert sizes == known + [None] * (len(sizes) - len(known))
    finally:
        database.close()


def fill(collection):
    for body in (
        {"name": "a", "size": 1, "up": True},
        {"name": "b", "size": 2, "up": False},
        {"name": "c", "size": 2},
        {"name": "d"},
    ):
        collection.create(body)


def everything(collection, sort, limit):
    found, marker = [], None
    while True:
        page = collection.page(Query(sort=sort, limit=limit, marker=marker))
        found += page.items
        marker = page.next_marker
        if marker is None:
            return found

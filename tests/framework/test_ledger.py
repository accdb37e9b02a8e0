"""Notes of processes: nothing is counted twice or lost, whenever one ends."""

from __future__ import annotations

import json

from apifold.observe.ledger import PAST, Ledger


def total(notes):
    return {"n": sum(one["n"] for one in notes)}


def ended(directory, name, number):
    """What a process wrote that has ended: there is no such process."""
    (directory / f"999999999-{name}.json").write_text(json.dumps({"n": number}))


def test_notes_of_processes_that_ended_are_folded(tmp_path):
    ledger = Ledger(tmp_path / "new", dict)
    ledger.write({"n": 1})
    assert (tmp_path / "new").is_dir()
    ended(tmp_path / "new", "a", 2)
    ended(tmp_path / "new", "b", 3)
    assert total(ledger.others()) == {"n": 5}
    for _ in range(2):
        Ledger(tmp_path / "new", dict).fold(total)
        assert total(ledger.others()) == {"n": 5}
    assert len(list((tmp_path / "new").glob("*.json"))) == 2


def test_a_fold_that_is_killed_in_the_middle_counts_nothing_twice(tmp_path):
    ledger = Ledger(tmp_path, dict)
    ended(tmp_path, "a", 2)
    ledger.fold(total)
    ended(tmp_path, "a", 2)  # as if it had been killed before it could remove this one
    assert total(ledger.others()) == {"n": 2}
    ended(tmp_path, "b", 3)
    ledger.fold(total)
    assert total(ledger.others()) == {"n": 5}


def test_what_cant_be_read_is_kept(tmp_path):
    ledger = Ledger(tmp_path, dict)
    (tmp_path / PAST).write_text("not notes")
    (tmp_path / "999999999-a.json").write_text("[1]")
    ledger.fold(total)
    assert (tmp_path / "past.unreadable").read_text() == "not notes"
    assert (tmp_path / "999999999-a.json").exists()

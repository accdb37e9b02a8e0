"""One stream of events, the same whichever API was asked: to a file, to a webhook."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apifold import SettingsError
from tests.services.platform.conftest import CAMP, PLAN


class Hook:
    """A webhook: what it heard, and whether it hears at the moment."""

    def __init__(self):
        self.heard, self.headers, self.status = [], [], 204
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if hook.status < 300:
                    hook.heard.append(body)
                    hook.headers.append(dict(self.headers))
                self.send_response(hook.status)
                if hook.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/events"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


def kinds(events):
    return [(event["type"].removeprefix("org.apifold.platform."), event["data"].get("status")) for event in events]


LIFE = [
    ("plan.created", None),
    ("assembly.created", None),
    ("assembly.state", "UNIT_TESTING"),
    ("assembly.state", "UNIT_TESTING_PASSED"),
    ("assembly.state", "BUILDING"),
    ("assembly.state", "BUILT"),
    ("assembly.state", "DEPLOYING"),
    ("assembly.state", "STARTING_APP"),
    ("assembly.state", "DEPLOYMENT_COMPLETE"),
    ("assembly.state", "DELETING"),
    ("assembly.deleted", None),
    ("plan.deleted", None),
]
"""What is told of an application from its plan to its end."""


def by_camp(platform):
    plan = platform.plan()
    made = platform.post(f"{CAMP}/assemblies", {"plan_uri": plan["uri"]}).json
    platform.settle()
    platform.delete(made["uri"])
    platform.settle()
    platform.delete(plan["uri"])


def by_v1(platform):
    text = PLAN.format(name="mine").replace("camp_version: CAMP 1.1", "version: 1")
    plan = platform.send("/v1/plans", text).json
    made = platform.post("/v1/assemblies", {"plan_uri": plan["uri"]}).json
    platform.settle()
    platform.delete(made["uri"])
    platform.settle()
    platform.delete(plan["uri"])


@pytest.mark.parametrize("live", [by_camp, by_v1])
def test_the_same_is_told_whichever_api_was_asked(platforms, hook, tmp_path, live):
    (tmp_path / "token").write_text("hook-token\n")
    sinks = {"file": str(tmp_path / "events"), "webhook": hook.url, "token": str(tmp_path / "token")}
    platform = platforms(events=sinks)
    live(platform)
    platform.core.tell(lambda: False)
    written = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert kinds(written) == LIFE
    assert written == hook.heard
    assert {event["specversion"] for event in written} == {"1.0"}
    assert len({event["id"] for event in written}) == len(written)
    assert {(event["data"]["project_id"], event["data"]["user_id"]) for event in written} == {("a1", "ada")}
    assert hook.headers[0]["Content-Type"] == "application/cloudevents+json"
    assert hook.headers[0]["Authorization"] == "Bearer hook-token"
    platform.core.tell(lambda: False)
    assert len(hook.heard) == len(written)


@pytest.mark.parametrize("status", [500, 302, 401])
def test_what_was_not_heard_is_told_again_in_its_order(platforms, hook, status, caplog):
    platform = platforms(events={"webhook": hook.url})
    hook.status = status
    platform.plan(name="first")
    platform.core.tell(lambda: False)
    assert hook.heard == []
    assert "it is told again" in caplog.text
    platform.plan(name="second")
    hook.status = 204
    platform.core.tell(lambda: False)
    assert [event["data"]["name"] for event in hook.heard] == ["first", "second"]


def test_what_can_t_be_written_is_kept(platforms, tmp_path):
    platform = platforms(events={"file": str(tmp_path / "none" / "events")})
    platform.plan(name="kept")
    platform.core.tell(lambda: False)
    (tmp_path / "none").mkdir()
    platform.core.tell(lambda: False)
    assert '"name":"kept"' in (tmp_path / "none" / "events").read_text()


def test_a_request_that_fails_tells_nothing(platforms, tmp_path):
    platform = platforms(events={"file": str(tmp_path / "events")})
    text = PLAN.format(name="bad").replace("org.python:python", "org.cobol:cobol")
    assert platform.send(f"{CAMP}/assemblies", text).status == 400
    platform.core.tell(lambda: False)
    assert not (tmp_path / "events").exists()


def test_a_failure_says_why(platforms, tmp_path):
    platform = platforms(events={"file": str(tmp_path / "events")})
    text = PLAN.format(name="bad").replace("    x-artifact: 1", "    build_cmd: 'false'")
    platform.send(f"{CAMP}/assemblies", text)
    platform.settle()
    platform.core.tell(lambda: False)
    last = json.loads((tmp_path / "events").read_text().splitlines()[-1])
    assert (last["data"]["status"], last["data"]["before"]) == ("ERROR", "BUILDING")
    assert "the build failed" in last["data"]["reason"]


@pytest.mark.parametrize(
    ("sinks", "said"),
    [
        ({"mail": "x"}, "there is no 'mail'"),
        ({"webhook": "ftp://example.org"}, "is no http address"),
        ({"webhook": "http://example.org", "token": "/nowhere"}, "there is no file /nowhere"),
    ],
)
def test_what_can_t_be_told_is_refused_at_the_start(platforms, sinks, said):
    with pytest.raises(SettingsError, match=said):
        platforms(events=sinks)

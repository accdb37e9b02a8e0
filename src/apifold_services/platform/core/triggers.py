"""Triggers: a repository's host says that something changed, and it is built again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apifold import Denied, Invalid, NotFound, Problem, ToBeDone
from apifold_services.platform.core import states
from apifold_services.platform.core.apps import Apps
from apifold_services.platform.core.assemblies import Assemblies, Wanted
from apifold_services.platform.core.pipelines import Pipelines
from apifold_services.platform.core.plans import Plans
from apifold_services.platform.core.scope import Scope

ACTIONS = frozenset(("created", "opened", "edited", "reopened", "synchronize", "closed"))
"""Of proposed changes and comments, what is acted on."""

COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")
"""How a commit is named; what anybody may send ends in a command line."""


@dataclass(frozen=True, slots=True)
class Triggers:
    """Acts on what GitHub tells: whoever knows a trigger's id may do so.

    Attributes:
        phrase: the comment that has a proposed change built again.
    """

    plans: Plans
    assemblies: Assemblies
    apps: Apps
    pipelines: Pipelines
    phrase: str

    def pull(self, id: str, told: Mapping[str, Any], actions: Sequence[str]) -> None:
        """Build what a trigger is of, where what happened asks for that.

        Args:
            told: the sender's message.
            actions: what is to be done; nothing for what is usual.

        Raises:
            NotFound: there is no such trigger.
            ToBeDone: the sender is not GitHub.
            Invalid: the message lacks what it must have.
            Denied: it is a comment of other words.
        """
        app, plan = self.apps.triggered_by(id), self.plans.triggered_by(id)
        pipeline = self.pipelines.triggered_by(id)
        if app is None and plan is None and pipeline is None:
            raise NotFound("There is no such trigger.")
        if "sender" not in told:
            raise Invalid(problems=[Problem("body", "/sender", "is missing")])
        sender = told["sender"]
        if not isinstance(sender, dict) or not str(sender.get("url", "")).startswith("https://api.github.com/"):
            raise ToBeDone("Only GitHub's messages are understood.")
        revision = self._revision(told)
        if not isinstance(told.get("action"), str) or told["action"] not in ACTIONS:
            return
        asked = tuple(action for action in actions if action in states.ACTIONS)
        if app is not None:
            owner = Scope(app.project_id, app.user_id)
            source = {"source": {"revision": revision}} if revision else {}
            usual = app.document.get("trigger_actions") or states.ACTIONS
            self.apps.run(owner, app.id, asked or tuple(usual), source)
        elif pipeline is not None:
            self.pipelines.run(pipeline, states.up_to(asked))
        elif plan is not None:
            wanted = Wanted(plan_id=plan.id, actions=states.up_to(asked))
            self.assemblies.create(Scope(plan.project_id, plan.user_id), wanted)

    def _revision(self, told: Mapping[str, Any]) -> str:
        """The commit that a message is about, as far as it says so."""
        try:
            if "comment" in told:
                if str(told["comment"]["body"]).strip(". \r\n").lower() != self.phrase.lower():
                    raise Denied(f"A comment that is not {self.phrase!r} is not acted on.")
                return _commit(told["comment"].get("commit_id") or "", "/comment/commit_id")
            return _commit(told["pull_request"]["head"]["sha"], "/pull_request/head/sha")
        except (KeyError, TypeError, AttributeError):
            raise Invalid(problems=[Problem("body", "", "has neither `pull_request` nor `comment`")]) from None


def _commit(said: Any, pointer: str) -> str:
    if said and not (isinstance(said, str) and COMMIT.fullmatch(said)):
        raise Invalid(problems=[Problem("body", pointer, "is no commit")])
    return str(said or "")

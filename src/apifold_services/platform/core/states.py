"""States of assemblies, as both APIs know them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

QUEUED, UNIT_TESTING, UNIT_TESTING_PASSED = "QUEUED", "UNIT_TESTING", "UNIT_TESTING_PASSED"
UNIT_TESTING_FAILED, BUILDING, BUILT = "UNIT_TESTING_FAILED", "BUILDING", "BUILT"
DEPLOYING, STARTING, COMPLETE = "DEPLOYING", "STARTING_APP", "DEPLOYMENT_COMPLETE"
STOPPED, ERROR, ERROR_DEPLOYMENT, DELETING = "STOPPED", "ERROR", "ERROR_CODE_DEPLOYMENT", "DELETING"
ERROR_DELETE = "ERROR_STACK_DELETE_FAILED"

MOVING = frozenset((QUEUED, UNIT_TESTING, UNIT_TESTING_PASSED, BUILDING, BUILT, DEPLOYING, STARTING))
"""On the way to what was asked for. An assembly that is only tested, or only built, stays where it was told to."""

FAILED = frozenset((UNIT_TESTING_FAILED, ERROR, ERROR_DEPLOYMENT, ERROR_DELETE))
DEPLOYED = frozenset((COMPLETE, STOPPED, ERROR_DEPLOYMENT))
"""There is something that can be started, stopped and scaled."""

STATES = frozenset((*MOVING, *FAILED, COMPLETE, STOPPED, DELETING))

UNITTEST, BUILD, DEPLOY = "unittest", "build", "deploy"
ACTIONS = (UNITTEST, BUILD, DEPLOY)
"""What is done to an assembly, in this order; one that is only built is not deployed."""

ENDS = {UNITTEST: UNIT_TESTING_PASSED, BUILD: BUILT, DEPLOY: COMPLETE}
"""The state that is reached once an action was the last."""


def up_to(actions: Collection[str]) -> tuple[str, ...]:
    """All that is to be done so that the last of some actions is done; everything where none of them is one."""
    last = max((ACTIONS.index(action) for action in actions if action in ACTIONS), default=len(ACTIONS) - 1)
    return ACTIONS[: last + 1]


def ended_well(status: str, actions: Sequence[str]) -> bool:
    """Whether all actions that were asked for were done."""
    return bool(actions) and status == ENDS[actions[-1]]


def skew(status: str, actions: Sequence[str]) -> str:
    """CAMP's `representation_skew`: how what is shown stands to what there is.

    Args:
        actions: that were asked for.
    """
    if status == DELETING:
        return "DESTROYING"
    return "CREATING" if status in MOVING and not ended_well(status, actions) else "NONE"


def component_status(status: str) -> str:
    """What a component of an assembly is, in the words of CAMP (`RUNNING` and `ERROR` are the standard's)."""
    if status == COMPLETE:
        return "RUNNING"
    return "ERROR" if status in FAILED else status

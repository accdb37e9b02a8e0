"""The work, as apifold's handlers."""

import work


def get_plan(name):
    return work.PLANS[name]


def create_plan(body):
    return work.create(body)


create_checked_plan = create_plan


def list_items(limit):
    return work.ITEMS[:limit]

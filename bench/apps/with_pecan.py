"""Pecan: object dispatch, its JSON renderer, voluptuous for bodies, a hook for the token."""

import re

import work
from pecan import abort, expose, make_app, request, response
from pecan.hooks import PecanHook
from voluptuous import MultipleInvalid
from with_flask_restful import PLAN, STORED


class Token(PecanHook):
    def on_route(self, state):
        header = state.request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            abort(401)
        role = "reader" if state.request.method == "GET" else "member"
        if not work.may(header[7:], role):
            abort(403)


def plan_of_request():
    try:
        return PLAN(request.json)
    except MultipleInvalid as error:
        abort(400, "; ".join(map(str, error.errors)))


class Plans:
    @expose("json")
    def index(self):
        response.status = 201
        return work.create(plan_of_request())

    @expose("json")
    def _default(self, name):
        if not re.fullmatch(work.NAME, name):
            abort(400)
        return work.PLANS[name]


class CheckedPlans:
    @expose("json")
    def index(self):
        response.status = 201
        return STORED(work.create(plan_of_request()))


class Checked:
    plans = CheckedPlans()


class Root:
    plans = Plans()
    checked = Checked()

    @expose("json")
    def items(self, limit="100"):
        count = int(limit)
        if not 1 <= count <= 1000:
            abort(400)
        return work.ITEMS[:count]


app = make_app(Root(), hooks=[Token()], debug=False, force_canonical=False)

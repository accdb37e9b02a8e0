"""Flask-RESTful: resources, voluptuous for bodies as its users do, a decorator for the token."""

import re
from functools import wraps

import work
from flask import Flask, abort, request
from flask_restful import Api, Resource
from voluptuous import ALLOW_EXTRA, All, In, Length, Match, MultipleInvalid, Range, Required, Schema

app = Flask(__name__)
api = Api(app)
PLAN = Schema(
    {
        Required("name"): All(str, Match(work.NAME)),
        Required("title"): All(str, Length(min=1, max=120)),
        "description": All(str, Length(max=2000)),
        Required("currency"): In(["EUR", "USD", "GBP"]),
        "priority": All(int, Range(min=0, max=100)),
        "weight": Range(min=0),
        "active": bool,
        "valid_from": All(str, Length(min=10)),
        "tags": All([All(str, Length(max=40))], Length(max=32)),
        Required("owner"): {
            Required("name"): All(str, Length(min=1)),
            Required("email"): All(str, Match("^[^@]+@[^@]+$")),
            "team": str,
        },
        Required("rates"): All([Range(min=0)], Length(min=1)),
        Required("quotas"): All(
            [{Required("resource"): All(str, Length(min=1)), Required("limit"): All(int, Range(min=0))}],
            Length(max=200),
        ),
    }
)
STORED = Schema(
    {
        Required("id"): str,
        Required("name"): str,
        Required("title"): str,
        Required("owner"): Schema({Required("name"): str, Required("email"): str}, extra=ALLOW_EXTRA),
        "currency": In(["EUR", "USD", "GBP"]),
        "priority": int,
        "tags": [str],
        "rates": [Range()],
        "quotas": [Schema({Required("resource"): str, Required("limit"): int})],
    },
    extra=ALLOW_EXTRA,
)


def allow(role):
    def around(function):
        @wraps(function)
        def checked(*args, **kwargs):
            header = request.headers.get("Authorization", "")
            if not header.startswith("Bearer "):
                abort(401)
            if not work.may(header[7:], role):
                abort(403)
            return function(*args, **kwargs)

        return checked

    return around


def plan_of_request():
    try:
        return PLAN(request.get_json())
    except MultipleInvalid as error:
        abort(400, "; ".join(map(str, error.errors)))


class Plan(Resource):
    @allow("reader")
    def get(self, name):
        if not re.fullmatch(work.NAME, name):
            abort(400)
        return work.PLANS[name]


class Plans(Resource):
    @allow("member")
    def post(self):
        return work.create(plan_of_request()), 201


class CheckedPlans(Resource):
    @allow("member")
    def post(self):
        return STORED(work.create(plan_of_request())), 201


class Items(Resource):
    @allow("reader")
    def get(self):
        limit = request.args.get("limit", 100, type=int)
        if not 1 <= limit <= 1000:
            abort(400)
        return work.ITEMS[:limit]


api.add_resource(Plan, "/plans/<string:name>")
api.add_resource(Plans, "/plans")
api.add_resource(CheckedPlans, "/checked/plans")
api.add_resource(Items, "/items")

"""Django REST framework: serializers in, and out where answers are checked; an authentication and a permission class."""

import django
import work
from django.conf import settings

settings.configure(
    ROOT_URLCONF="with_drf",
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="benchmark",  # it signs nothing
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path, re_path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.permissions import BasePermission  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Token(BaseAuthentication):
    def authenticate(self, request):
        header = request.headers.get("authorization", "")
        if not header.startswith("Bearer ") or header[7:] not in work.TOKENS:
            raise AuthenticationFailed
        return work.TOKENS[header[7:]]["user"], header[7:]


def allow(role):
    class Allowed(BasePermission):
        def has_permission(self, request, view):
            return work.may(request.auth, role)

    return [Allowed]


class Owner(serializers.Serializer):
    name = serializers.CharField(min_length=1)
    email = serializers.RegexField("^[^@]+@[^@]+$")
    team = serializers.CharField(required=False)


class Quota(serializers.Serializer):
    resource = serializers.CharField(min_length=1)
    limit = serializers.IntegerField(min_value=0)


class Plan(serializers.Serializer):
    name = serializers.RegexField(work.NAME)
    title = serializers.CharField(min_length=1, max_length=120)
    description = serializers.CharField(max_length=2000, required=False)
    currency = serializers.ChoiceField(["EUR", "USD", "GBP"])
    priority = serializers.IntegerField(min_value=0, max_value=100, required=False)
    weight = serializers.FloatField(min_value=0, required=False)
    active = serializers.BooleanField(required=False)
    valid_from = serializers.CharField(min_length=10, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), max_length=32, required=False)
    owner = Owner()
    rates = serializers.ListField(child=serializers.FloatField(min_value=0), min_length=1)
    quotas = Quota(many=True)


class Stored(Plan):
    id = serializers.CharField()
    created_at = serializers.CharField()


class View(APIView):
    authentication_classes = [Token]


class PlanView(View):
    permission_classes = allow("reader")

    def get(self, request, name):
        return Response(work.PLANS[name])


class PlansView(View):
    permission_classes = allow("member")

    def post(self, request):
        plan = Plan(data=request.data)
        plan.is_valid(raise_exception=True)
        return Response(work.create(plan.validated_data), 201)


class CheckedPlansView(View):
    permission_classes = allow("member")

    def post(self, request):
        plan = Plan(data=request.data)
        plan.is_valid(raise_exception=True)
        stored = Stored(data=work.create(plan.validated_data))
        stored.is_valid(raise_exception=True)
        return Response(stored.data, 201)


class Limit(serializers.Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100)


class ItemsView(View):
    permission_classes = allow("reader")

    def get(self, request):
        query = Limit(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response(work.ITEMS[: query.validated_data["limit"]])


urlpatterns = [
    re_path(r"^plans/(?P<name>[a-z][a-z0-9-]{2,62})$", PlanView.as_view()),
    path("plans", PlansView.as_view()),
    path("checked/plans", CheckedPlansView.as_view()),
    path("items", ItemsView.as_view()),
]
app = get_wsgi_application()

"""Which view answers which path, in both generations."""

from django.urls import URLPattern, path

from apifold_services.multicloud.legacy import views

_RESOURCES = (
    ("/identity/v3", views.identity_version),
    ("/identity/v3/auth/tokens", views.create_token),
    ("/extensions", views.extensions),
    ("/<tenantid>/hosts", views.hosts),
    ("/<tenantid>/hosts/<hostid>", views.host),
)


def _patterns(front: str) -> list[URLPattern]:
    return [path(f"{front}{rest}", view) for rest, view in _RESOURCES]


_ROOT = "<path:front>api/multicloud-vio"
_BARE = "api/multicloud-vio"

urlpatterns = [
    pattern
    for root in (_BARE, _ROOT)
    for pattern in (*_patterns(f"{root}/v0/<vimid>"), *_patterns(f"{root}/v1/<cloud_owner>/<cloud_region_id>"))
]

"""The legacy application, as a WSGI server calls it."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

if not settings.configured:
    settings.configure(
        ROOT_URLCONF="apifold_services.multicloud.legacy.urls",
        ALLOWED_HOSTS=["*"],  # whoever stands in front has judged the host
        MIDDLEWARE=[],
        SECRET_KEY="nothing is signed",  # noqa: S106  # there are no cookies and no forms
        APPEND_SLASH=False,
        LOGGING_CONFIG=None,
    )

application = get_wsgi_application()

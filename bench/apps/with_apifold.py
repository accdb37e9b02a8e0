"""apifold as an ASGI application, for servers of others."""

from pathlib import Path

import work

from apifold import App, Settings

HOME = Path(work.__file__).parent
app = App(
    __name__,
    HOME / "apis",
    Settings(
        auth="tokens", tokens=str(HOME / "tokens.yaml"), policy=str(HOME / "apis" / "policy.yaml"), access_log=False
    ),
)
app.add_api("openapi.yaml")

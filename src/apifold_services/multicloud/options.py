"""What a deployment decides about this service: `services: {multicloud: {...}}`."""

from pathlib import Path
from typing import Literal

import msgspec

DEFINITIONS = Path(__file__).with_name("definitions")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The service's settings.

    Attributes:
        web_framework: who answers identity, extensions and hosts: `django`, the application of old, or `pecan`, this.
        definitions: directory with definition files; each adds its resource while it is served.
        plugins: addresses of plug-ins elsewhere, by name; those that are not named are this service's own.
        providers: file with cloud types, their versions and plug-ins; "" for those that are known.
        key: file with the key that stored passwords are encrypted with; "" makes one in the state directory.
        aai: address of an A&AI that knows the clouds, with its schema version; "" for this service's own list.
        aai_user: as whom to ask it.
        aai_password: file with that user's password.
        seconds: how long a cloud may take to answer.
    """

    web_framework: Literal["django", "pecan"] = "django"
    definitions: str = str(DEFINITIONS)
    plugins: dict[str, str] = {}
    providers: str = ""
    key: str = ""
    aai: str = ""
    aai_user: str = ""
    aai_password: str = ""
    seconds: float = 30.0

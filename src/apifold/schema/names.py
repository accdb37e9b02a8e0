"""The argument name of a parameter: `X-Request-Id`, `requestId` and `class` as Python writes them."""

from __future__ import annotations

import keyword
import re
from functools import cache


@cache
def argument_name(name: str) -> str:
    """`user-id` is `user_id`, `filter[name]` is `filter_name`, `class` is `class_`; `userId` stays as it is.

    Header names come in lower case, as they mean the same in any case.
    """
    text = re.sub(r"\W+", "_", name).strip("_") or "_"
    if re.match(r"^[A-Z][A-Za-z0-9]*(-[A-Za-z0-9]+)+$", name):
        text = text.lower()
    return f"{text}_" if keyword.iskeyword(text) or text[0].isdigit() else text

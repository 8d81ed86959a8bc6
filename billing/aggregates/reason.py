"""Why somebody does something: needed where money or access is taken away, optional elsewhere."""

import unicodedata

from billing.values import Refused


def trimmed(reason: str) -> str:
    """Return a reason without blanks around it; "" if it has no visible character."""
    visible = any(unicodedata.category(each)[0] not in "ZC" for each in reason)
    return reason.strip() if visible else ""


def needed(reason: str) -> str:
    """Return the trimmed reason. Refused without one."""
    given = trimmed(reason)
    if not given:
        raise Refused("Enter a reason.")
    return given

"""Throttles against guessing: the attempts for each account and IP address, and the message."""

from billing.commands.attempts import Throttle
from billing.web.kit.i18n import ngettext

MINUTE = 60
BY_ACCOUNT = Throttle("account", burst=5, every_seconds=60)
BY_ADDRESS = Throttle("address", burst=20, every_seconds=15)
BY_CODE = Throttle("code", burst=5, every_seconds=60)  # of two-factor
# For lines in the log of sign-ins: a flood of attempts must not flood the log.
NOTED = Throttle("noted", burst=1, every_seconds=60)  # attempts that came too early
BY_TOKEN = Throttle("token", burst=1, every_seconds=60)  # wrong API tokens


def too_many(wait_seconds: int) -> str:
    """Return the message for a person who must wait."""
    if wait_seconds < MINUTE:
        text = ngettext(
            "Too many attempts. Try again in %(n)s second.",
            "Too many attempts. Try again in %(n)s seconds.",
            wait_seconds,
        )
        return text % {"n": wait_seconds}
    minutes = -(-wait_seconds // MINUTE)
    text = ngettext(
        "Too many attempts. Try again in %(n)s minute.",
        "Too many attempts. Try again in %(n)s minutes.",
        minutes,
    )
    return text % {"n": minutes}

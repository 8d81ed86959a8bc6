"""Slows down guessing: how many attempts each account and each IP address has, and what is told."""

from billing.commands.attempts import Throttle
from billing.web.kit.i18n import ngettext

MINUTE = 60
BY_ACCOUNT = Throttle("account", burst=5, every_seconds=60)
BY_ADDRESS = Throttle("address", burst=20, every_seconds=15)
BY_CODE = Throttle("code", burst=5, every_seconds=60)  # of the second step
# Of lines in the login log: whoever floods the door does not flood the log too.
NOTED = Throttle("noted", burst=1, every_seconds=60)  # attempts that came too early
BY_TOKEN = Throttle("token", burst=1, every_seconds=60)  # wrong API tokens


def too_many(wait_seconds: int) -> str:
    """What is told to whom must wait."""
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

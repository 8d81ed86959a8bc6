"""The filter of a list in words and the log position of its rows, for the file of the list."""

from collections.abc import Mapping
from typing import Any

from sanic import Request

from billing.log.positions import shown_async
from billing.periods import Period
from billing.queries.names import account_names, device_name, stream_names
from billing.web.kit import words
from billing.web.kit.formats import day
from billing.web.kit.i18n import N_, gettext
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

LABELS = {
    "q": N_("Search"),
    "state": N_("State"),
    "company": N_("Company"),
    "device": N_("Device"),
    "account": N_("Account"),
    "actor": N_("By"),
    "kind": N_("Kind"),
    "of": N_("Kind of account"),
    "layer": N_("Layer"),
    "type": N_("Type"),
    "country": N_("Country"),
    "on": N_("Prices on"),
}
# The codes of filters that have the same labels in every list.
KNOWN = {
    "state": {**words.ACCOUNT_STATES, **words.DEVICE_STATES},
    "of": words.ACCOUNT_KINDS,
    "type": words.AREA_TYPES,
    "kind": {**words.MOVEMENTS, **words.SIGN_INS, **words.OBJECTS},
}


async def facts_of(
    request: Request[Any, Any], given: Mapping[str, str], period: Period | None = None
) -> list[tuple[str, str]]:
    """Return each filter that is set, with its name; then the position in the log."""
    company, device = given.get("company", ""), given.get("device", "")
    streams = [f"company:{company}", given.get("account", "")]
    async with site_of(request).pool.connection() as connection:
        position = await shown_async(connection)
        names = await account_names(connection, reach_of(request), streams)
        named = {"company": names.get(streams[0], company), "account": names.get(streams[1], "")}
        if device:
            named["device"] = await device_name(connection, device)
        if actor := given.get("actor", ""):
            named["actor"] = words.actor(actor, await stream_names(connection, [actor]))
    found = []
    if period:
        found = [(gettext("From"), day(period.first)), (gettext("To"), day(period.last))]
    for name, label in LABELS.items():
        value = given.get(name, "")
        if value:
            found.append((gettext(label), named.get(name) or _said(name, value)))
    return [*found, (gettext("Log position"), str(position))]


def _said(name: str, value: str) -> str:
    return words.word(KNOWN.get(name, {}), value) or value

"""The columns of calls: on the page, in files and in the API. A new one is one line here.

queries/calls.py defines the data of a row. A cell of the page that is more than a text or a word is
in templates/calls/_call_cells.html.
"""

from collections.abc import Mapping

import msgspec

from billing.web.files.xlsx import Column, Kind
from billing.web.kit import words
from billing.web.kit.i18n import N_, gettext


class CallColumn(msgspec.Struct, frozen=True):
    """A column of calls. Without `name` it is not on the page, without `api` not in the API."""

    name: str  # identifies it in forms and in stored choices
    field: str  # of CallRow
    label: str
    width: int  # in a spreadsheet, in characters
    kind: Kind = "text"
    codes: Mapping[str, str] = {}  # the labels of its codes
    several: bool = False  # whether a call can have more than one code
    api: str = ""  # its key in the API, which never changes
    own: bool = False  # in spreadsheets: whether most texts occur once
    sum: bool = False  # in spreadsheets: whether a total makes sense

    def in_file(self) -> Column:
        """Return this column for a spreadsheet, in the reader's language."""
        return Column(gettext(self.label), self.kind, self.width, own=self.own, sum=self.sum)


# In the order of spreadsheets.
CALL_COLUMNS = (
    CallColumn("", "started_at", N_("Date and time"), 20, "time", api="started_at"),
    CallColumn("company", "company", N_("Company"), 28, api="company"),
    CallColumn("user", "user", N_("User account"), 20, api="user_account"),
    CallColumn("gateway", "gateway", N_("Gateway account"), 20, api="gateway_account"),
    CallColumn("extension", "extension", N_("Extension"), 10, api="extension"),
    CallColumn("caller", "caller", N_("Caller"), 20, api="caller"),
    CallColumn("number", "number", N_("Number"), 20, api="number", own=True),
    CallColumn("dialled", "dialled", N_("As dialled"), 20, api="dialled", own=True),
    CallColumn("area", "area", N_("Destination"), 24, api="area"),
    CallColumn("class", "call_class", N_("Class"), 14, codes=words.CLASSES, api="class"),
    CallColumn(
        "direction", "direction", N_("Direction"), 14, codes=words.DIRECTIONS, api="direction"
    ),
    CallColumn("device", "device", N_("Device"), 22, api="device"),
    CallColumn("result", "result", N_("Result"), 14, codes=words.RESULTS, api="result"),
    CallColumn("status", "status", N_("Status"), 14, codes=words.STATUSES, api="status"),
    CallColumn(
        "reason", "reason", N_("Reason"), 18, codes=words.REASONS | words.VOIDED, api="reason"
    ),
    CallColumn("flags", "flags", N_("Flags"), 18, codes=words.FLAGS, several=True),
    CallColumn("talk", "talk_ms", N_("Talk time"), 10, "talk", api="talk_ms", sum=True),
    CallColumn(
        "billed",
        "billed_seconds",
        N_("Billed time"),
        10,
        "duration",
        api="billed_seconds",
        sum=True,
    ),
    CallColumn("amount", "amount_micros", N_("Amount"), 12, "exact", api="amount", sum=True),
    CallColumn("", "currency", N_("Currency"), 9, "currency", api="currency"),
    CallColumn("rate", "rate_name", N_("Rate"), 20, codes=words.RATE_NAMES, api="rate"),
    CallColumn("", "call_id", N_("Call"), 34, api="id", own=True),
)
# The columns of the page, by name. The date is not among them: it always comes first, and links to
# the call.
COLUMNS = {column.name: column for column in CALL_COLUMNS if column.name}
USUAL = ("company", "extension", "number", "area", "class", "device", "result", "talk", "amount")
SUMMED = ("result", "talk", "amount")  # columns with a figure in the totals

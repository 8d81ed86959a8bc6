"""The submissions of a device as a file. The device's page shows the newest ones."""

from typing import Any

from sanic import Blueprint, Request

from billing.queries.device import Submission, submissions_before
from billing.web.devices.device import find_device
from billing.web.files.delivery import Answer
from billing.web.files.lists import Field, ListFile, all_pages, send_list
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext
from billing.web.site import site_of

blueprint = Blueprint("submissions")


@blueprint.get("/devices/<device_id:str>/submissions/export.csv", name="submissions_csv")
@blueprint.get("/devices/<device_id:str>/submissions/export.xlsx", name="submissions_excel")
@admits(*EVERY_ROLE, limited=True)
async def export_submissions(request: Request[Any, Any], device_id: str) -> Answer:
    """Send all submissions of a device that the log of submissions still has."""
    await find_device(request, device_id)
    file = ListFile(
        title=gettext("Submissions"),
        fields=_fields(),
        rows=all_pages(site_of(request), submissions_before, device_id, tuple[int]),
        given={"device": device_id},
    )
    return await send_list(request, file)


def _fields() -> list[Field[Submission]]:
    return [
        Field(gettext("Received"), lambda row: row.at, "time", 24),
        Field(gettext("Answer"), lambda row: row.status, "count", 10),
        Field(gettext("Bytes"), lambda row: row.bytes, "count", sum=True),
        Field(gettext("Accepted"), lambda row: row.accepted, "count", sum=True),
        Field(gettext("Duplicates"), lambda row: row.duplicate, "count", sum=True),
        Field(gettext("Conflicts"), lambda row: row.conflict, "count", sum=True),
        Field(gettext("Suspended"), lambda row: row.suspended, "count", sum=True),
        Field(gettext("Detail"), lambda row: row.detail, width=50),
        Field(gettext("IP address"), lambda row: row.address, width=18),
        Field(gettext("Account"), lambda row: row.account, width=24),
    ]

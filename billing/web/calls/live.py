"""Notify open call lists of new calls by server-sent events."""

from typing import Any

from sanic import Blueprint, Request

from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.pages import render_text
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

MOST_SHOWN = 999
blueprint = Blueprint("live")


@blueprint.get("/live")
@admits(*EVERY_ROLE, limited=True)
async def stream_arrivals(request: Request[Any, Any]) -> None:
    """Send the button "3 new calls" as a server-sent event whenever the number grows."""
    arrivals = site_of(request).arrivals
    reach = reach_of(request)
    since = request.args.get("since", "")
    response = await request.respond(
        content_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )
    async with arrivals.watching():
        # After a rebuild of the read model the count is lower: start again from there.
        count = arrivals.count(reach)
        first = int(since) if since.isdecimal() and int(since) <= count else count
        shown = -1
        while not arrivals.stopped:
            count = arrivals.count(reach)
            first = min(first, count)
            new = min(count - first, MOST_SHOWN)
            if new != shown:
                text = render_text(request, "calls/_live.html", new=new, most=MOST_SHOWN)
                await response.send(f"data: {' '.join(text.split())}\n\n")
                shown = new
            else:
                await response.send(": still here\n\n")
            await arrivals.wait()
    await response.eof()

"""The page "Help" in the menu: docs/uso-del-sistema.md."""

from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.markdown import render_markdown
from billing.web.kit.pages import page

GUIDE = "uso-del-sistema.md"
blueprint = Blueprint("help")


def guide_path() -> Path:
    """Return the path of the guide: in the installed package, or in docs/ of a checkout."""
    inside = Path(__file__).parent / GUIDE
    return inside if inside.exists() else Path(__file__).parents[3] / "docs" / GUIDE


@cache
def _guide() -> Markup:
    return render_markdown(guide_path().read_text())


@blueprint.get("/help")
@admits(*EVERY_ROLE, limited=True)
async def show_help(request: Request[Any, Any]) -> HTTPResponse:
    """Show how the pages are used, in Spanish, to everybody who is signed in."""
    return page(request, "system/help.html", guide=_guide())

"""Render templates with the values that every page has, and in the reader's language and theme."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup
from sanic import Request, html
from sanic.response import HTTPResponse

from billing.aggregates.event import Event
from billing.web.kit import formats, telling, words
from billing.web.kit.access import is_fragment
from billing.web.kit.assets import asset_url, load_assets
from billing.web.kit.filters import PLACES
from billing.web.kit.i18n import LANGUAGES, catalogue, gettext, language, ngettext, pgettext

TEMPLATES = Path(__file__).parents[1] / "templates"
THEMES = ("light", "dark")
NOTICE = "notice"  # cookie with the notice that the next page shows (acting.py)


@cache
def templates_for(zone: ZoneInfo) -> jinja2.Environment:
    """The templates, with everything they may call, for installations in a time zone.

    Compiling them costs more than most pages, so all applications of a process share them.
    """
    assets = load_assets()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        gettext, ngettext, newstyle=True, pgettext=pgettext
    )
    for name in languages_to_load():
        catalogue(name)

    def asset(name: str) -> str:
        return asset_url(assets, name)

    def icon(name: str, extra: str = "") -> Markup:
        return Markup('<svg class="i {}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
            extra, asset("icons.svg"), name
        )

    def moment(value: datetime, pattern: str = "d MMM y HH:mm:ss") -> str:
        return formats.moment(value, pattern, zone)

    def local_day(value: datetime) -> str:
        return value.astimezone(zone).date().isoformat()

    @jinja2.pass_context
    def actor(context: jinja2.runtime.Context, code: str) -> str:
        return words.actor(code, context["names"])

    @jinja2.pass_context
    def tell(context: jinja2.runtime.Context, event: Event, currency: str) -> str:
        return telling.tell(event, currency, context["names"])

    environment.globals.update(
        local_day=local_day,
        asset=asset,
        icon=icon,
        moment=moment,
        long_day=lambda value: formats.long_day(value, zone),
        zone=zone.key,
        zone_name=lambda: formats.zone_name(zone),
        money=formats.money,
        exact_money=formats.exact_money,
        amount=formats.amount,
        price_text=formats.price,
        num=formats.decimal,
        percent=formats.percent,
        hms=formats.hms,
        size=formats.size,
        duration=formats.duration,
        refusal=words.refusal,
        hm=formats.hm,
        day=formats.day,
        month=formats.month,
        tell=tell,
        actor=actor,
        address=words.address,
        query=formats.query,
        segment=formats.segment,
        word=words.word,
        words=words,
        languages=LANGUAGES,
    )
    return environment


def languages_to_load() -> tuple[str, ...]:
    """Return every language, to load all at start and notice a broken catalogue."""
    return tuple(LANGUAGES)


def render_text(request: Request[Any, Any], template: str, **values: Any) -> str:
    """Render a template with the values of this page and of every page."""
    theme = request.cookies.get("theme")
    session = getattr(request.ctx, "session", None)
    here = request.path + (f"?{request.query_string}" if request.query_string else "")
    common = {
        "lang": language(),
        "theme": theme if theme in THEMES else THEMES[0],
        "session": session,
        "limited": bool(session and session.companies),
        "csrf": session.csrf_token if session else "",
        "here": here,
        "past_end": _start_of_list(request),
        "freshness": request.app.ctx.site.freshness,
        "now": datetime.now(UTC),
        "page": "",
        "notice": "",
    }
    environment: jinja2.Environment = request.app.ctx.site.templates
    return environment.get_template(template).render({**common, **values})


def _start_of_list(request: Request[Any, Any]) -> str:
    """Return the URL of the first page of a list; "" on the first page."""
    given = [(name, value) for name, value in request.query_args if name not in PLACES]
    return request.path + formats.query(dict(given)) if len(given) < len(request.query_args) else ""


def page(
    request: Request[Any, Any], template: str, status: int = 200, **values: Any
) -> HTTPResponse:
    """Return a page of the site, with the notice that the previous page left."""
    notice = "" if is_fragment(request) else unquote(str(request.cookies.get(NOTICE, "") or ""))
    response = html(render_text(request, template, notice=notice, **values), status)
    if notice:
        response.delete_cookie(NOTICE)
    return response


def is_partial(request: Request[Any, Any]) -> bool:
    """Return whether htmx asks for the part of the page that changed."""
    return request.headers.get("hx-request-type") == "partial"


def page_or_part(
    request: Request[Any, Any], template: str, part: str, status: int = 200, **values: Any
) -> HTTPResponse:
    """Return a page, or only the part that changed if htmx requests it."""
    return page(request, part if is_partial(request) else template, status, **values)

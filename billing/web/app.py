"""Assemble the pages into one Sanic application."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from typing import Any

from sanic import Blueprint, Request, Sanic
from sanic.response import BaseHTTPResponse, HTTPResponse, text

from billing.config import Config
from billing.database import Database
from billing.database.limits import limit_page
from billing.doors.door import Door
from billing.doors.limits import Limits
from billing.keeping.archived_events import open_store
from billing.web.accounts import (
    account,
    actions,
    companies,
    evidence,
    history,
    movements,
    opening,
    recharge_import,
    replays,
    statements,
    sub_account_import,
    sub_accounts,
)
from billing.web.api import api
from billing.web.calls import calls, cascades, column_choice, live, saved_views
from billing.web.calls import export as call_export
from billing.web.devices import device, devices, extensions, route_prefixes, submissions
from billing.web.files import exports, importing
from billing.web.kit import assets
from billing.web.kit.access import ANYONE, admits, language_of
from billing.web.kit.errors import install_error_pages
from billing.web.kit.i18n import set_language
from billing.web.kit.reach import PARTS
from billing.web.people import administrators, limits, logs, security
from billing.web.rates import (
    comparison,
    deck_export,
    deck_import,
    number_plan,
    number_plan_import,
    number_plan_seed,
    prices,
    rate_groups,
    tester,
)
from billing.web.rerating import rerating, suspended
from billing.web.sign_in import (
    api_tokens,
    my_account,
    own_password,
    preferences,
    sign_in,
    two_factor,
)
from billing.web.site import Site
from billing.web.statistics import export as statistics_export
from billing.web.statistics import overview, statistics
from billing.web.system import backups, guide, keeping, system

THREADS = 16  # files and replays use up to five for long; pages need the others
MOST_HEADER_BYTES = 65_536  # a URL of 10,000 characters gets an error message
MOST_DROPPED = 65_536  # bytes of a body that no handler reads; beyond, the connection is closed
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
UNREAD = ("/assets/", "/healthz", "/readyz", "/metrics")  # responses without figures
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "vary": "Cookie, Accept-Language, HX-Request",
}
MODULES = (
    assets,
    sign_in,
    own_password,
    my_account,
    two_factor,
    api_tokens,
    api,
    preferences,
    overview,
    saved_views,
    column_choice,
    calls,
    statistics,
    statistics_export,
    call_export,
    cascades,
    exports,
    live,
    companies,
    opening,
    account,
    statements,
    history,
    replays,
    submissions,
    route_prefixes,
    evidence,
    extensions,
    recharge_import,
    sub_account_import,
    importing,
    actions,
    sub_accounts,
    movements,
    rate_groups,
    comparison,
    prices,
    deck_import,
    deck_export,
    number_plan_import,
    number_plan_seed,
    number_plan,
    tester,
    devices,
    device,
    suspended,
    rerating,
    system,
    keeping,
    backups,
    guide,
    logs,
    limits,
    administrators,
    security,
)
blueprint = Blueprint("start")


@blueprint.get("/healthz")
@admits(ANYONE)
async def tell_health(_request: Request[Any, Any]) -> HTTPResponse:
    """Answer that this process is alive."""
    return text("ok")


def create_app(config: Config, database: Database) -> Sanic[Any, Any]:
    """Return the application that serves the pages of one database."""
    # Sanic registers applications by name; tests make many.
    app: Sanic[Any, Any] = Sanic(f"contarifa_{token_hex(4)}", configure_logging=False)
    app.config.AUTO_EXTEND = False
    app.config.TOUCHUP = False  # it rewrites Sanic's own methods, and a second application fails
    app.config.REQUEST_MAX_SIZE = MOST_DROPPED  # each route has its own limit (admits)
    app.config.REQUEST_MAX_HEADER_SIZE = MOST_HEADER_BYTES
    app.config.FALLBACK_ERROR_FORMAT = "text"
    app.config.PROXIES_COUNT = config.proxies or None
    app.ctx.door = Door(Limits(), proxies=config.proxies)
    app.ctx.site = None

    async def open_site(app: Sanic[Any, Any]) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        store = open_store(database.url, config.archives)
        app.ctx.site = Site(config, await database.open_async(limit_page), store)
        await app.ctx.site.exports.start()
        app.ctx.site.certificate.start()

    async def stop_streams(app: Sanic[Any, Any]) -> None:
        app.ctx.site.stop_streams()

    async def close_site(app: Sanic[Any, Any]) -> None:
        await app.ctx.site.close()

    app.before_server_start(open_site)
    app.before_server_stop(stop_streams)
    app.after_server_stop(close_site)
    app.on_request(_prepare)
    app.on_response(_add_headers)  # type: ignore[no-untyped-call]
    install_error_pages(app)
    app.blueprint(blueprint)
    for module in MODULES:
        app.blueprint(module.blueprint)
    _refuse_open_routes(app)
    return app


async def _prepare(request: Request[Any, Any]) -> None:
    set_language(language_of(request))
    if request.method == "GET" and not request.path.startswith(UNREAD):
        await request.app.ctx.site.freshness.refresh()


async def _add_headers(request: Request[Any, Any], response: BaseHTTPResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.status == 503:  # noqa: PLR2004
        response.headers.setdefault("retry-after", "2")
    if request.app.ctx.site and request.app.ctx.site.config.cookie_secure:
        response.headers.setdefault("strict-transport-security", "max-age=31536000")


def _refuse_open_routes(app: Sanic[Any, Any]) -> None:
    """Refuse to start if a route does not say who may call it, or what its path names."""
    for blueprint_ in app.blueprints.values():
        for route in blueprint_.routes:
            if not hasattr(route.handler, "admits"):
                raise RuntimeError(f"{route.path} does not say whom it admits.")
            unknown = set(re.findall(r"<(\w+)", route.path)) - set(PARTS)
            if getattr(route.handler, "limited", False) and unknown:
                raise RuntimeError(f"What does {unknown} of {route.path} name?")

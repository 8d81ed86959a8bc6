"""The system page, and the readiness and metrics for monitoring."""

import asyncio
import hmac
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from sanic import Blueprint, Request
from sanic.exceptions import Forbidden
from sanic.response import HTTPResponse, text

from billing.database import migrations
from billing.database.states import read_states, unwell
from billing.queries import keeping, ledger, set_aside
from billing.queries.clock import ClockState, clock_state
from billing.queries.system import SILENT_AFTER, Status, read_readiness, read_status
from billing.web.kit import formats
from billing.web.kit.access import ANYONE, EVERY_ROLE, admits, bearer, current_session
from billing.web.kit.i18n import N_, gettext, ngettext
from billing.web.kit.pages import page_or_part
from billing.web.services.certificate import Certificate, expires_soon
from billing.web.services.machine import Machine, look_at_machine
from billing.web.site import Site, site_of

MOST_LAG = 50_000  # events: about two seconds of work for the read models
READY_SECONDS = 0.7  # for the database's answer; an append is given 1.2 s
LONGEST_BACKUP_DAYS = 3650  # a larger number in an event counts as this
LEAST_FREE = 0.1  # of the disk
blueprint = Blueprint("system")


@blueprint.get("/system")
@admits(*EVERY_ROLE)
async def show_system(request: Request[Any, Any]) -> HTTPResponse:
    """Show the state of the service, its database and its machine."""
    site, now = site_of(request), datetime.now(UTC)
    machine = await _look(site)
    async with site.pool.connection() as connection:
        status = await read_status(connection, now)
        aside = await set_aside.newest(connection)
        differences = await ledger.differences(connection)
        check = await ledger.last_check(connection)
        settings = await keeping.read_settings(connection)
        months = await keeping.kept_months(connection)
    return page_or_part(
        request,
        "system/system.html",
        "system/_system_state.html",
        page="system",
        found=status,
        machine=machine,
        months=months[::-1],
        aside=aside,
        differences=differences,
        ledger_check=check,
        certificate=site.certificate,
        processes=[
            (each, datetime.fromtimestamp(each.since, UTC))
            for each in read_states(site.config.data_dir)
        ],
        warnings=_certificate_warnings(site)
        + _warnings(site, machine, status, settings.backup_days, now),
        silent_hours=int(SILENT_AFTER.total_seconds() // 3600),
        uptime=now - machine.began_at,
    )


async def _look(site: Site) -> Machine:
    config = site.config
    return await asyncio.to_thread(
        look_at_machine, config.data_dir, config.archives, config.backups
    )


def _warnings(
    site: Site, machine: Machine, status: Status, backup_days: int, now: datetime
) -> list[str]:
    """Return what needs attention."""
    said = []
    if not site.config.cookie_secure:
        said.append(
            gettext("Sessions are not encrypted. Behind HTTPS set BILLING_COOKIE_SECURE=yes.")
        )
    if machine.disk_free_bytes < machine.disk_bytes * LEAST_FREE:
        said.append(gettext("Less than a tenth of the disk is free."))
    late = status.backed_up_at is None or now - status.backed_up_at > timedelta(
        days=min(max(backup_days, 1), LONGEST_BACKUP_DAYS) + 1
    )
    if late:
        said.append(gettext("There is no recent backup of everything."))
    said += [
        ngettext(
            "The process %(name)s ended unexpectedly %(n)s time; it is started again.",
            "The process %(name)s ended unexpectedly %(n)s times; it is started again.",
            each.deaths,
        )
        % {"name": each.name, "n": each.deaths}
        for each in unwell(site.config.data_dir)
    ]
    if status.lag > MOST_LAG:
        said.append(gettext("Page data is behind: pages show an older state."))
    if count := status.silent_count:
        said.append(
            ngettext("%(n)s device is not reporting.", "%(n)s devices are not reporting.", count)
            % {"n": count}
        )
    return said


def _certificate_warnings(site: Site) -> list[str]:
    """Return what browsers will warn about."""
    found, watched = site.certificate.found, site.certificate.url
    if not watched and site.config.cookie_secure:
        return [gettext("The certificate is not monitored. Set BILLING_PUBLIC_URL.")]
    if found is None:
        return []
    if found.expires_at is None:
        return [
            gettext(
                "The certificate of %(host)s could not be read: %(why)s",
                host=found.host,
                why=found.problem,
            )
        ]
    said = []
    if expires_soon(found):
        sentence = N_("The certificate of %(host)s expires on %(day)s.")
        if found.expires_at < datetime.now(UTC):
            sentence = N_("The certificate of %(host)s expired on %(day)s.")
        end = formats.day(found.expires_at.astimezone(site.zone).date())
        said.append(gettext(sentence, host=found.host, day=end))
    if found.problem:
        said.append(
            gettext(
                "Browsers do not trust the certificate of %(host)s: %(why)s",
                host=found.host,
                why=found.problem,
            )
        )
    return said


@blueprint.get("/readyz")
@admits(ANYONE)
async def tell_readiness(request: Request[Any, Any]) -> HTTPResponse:
    """Tell a load balancer within two seconds whether everything works, and why not."""
    problem, remarks = await _problem(site_of(request))
    return text("; ".join([problem or "ready", *remarks]), status=503 if problem else 200)


async def _problem(site: Site) -> tuple[str, list[str]]:
    """Return what prevents pages or appends ("" if nothing), and remarks on what else is wrong."""
    try:
        async with asyncio.timeout(READY_SECONDS), site.pool.connection() as connection:
            applied, restoring, lag = await read_readiness(connection)
            clock = await clock_state(connection)
    except Exception:  # noqa: BLE001 -- whatever it is, this is not ready
        return "the database does not answer", []
    remarks = [f"{each.name} ended with {each.last_exit}" for each in unwell(site.config.data_dir)]
    if clock.is_waiting:
        remarks.append("the clock is in doubt")
    if restoring:
        return "the database is half restored", remarks
    if missing := sorted(set(migrations()) ^ set(applied)):
        return f"the database is of another version: {missing[0]}", remarks
    if problem := await site.rehearsal.problem():
        return f"nothing can be appended: {problem}", remarks
    return f"the read models are {lag} events behind" if lag > MOST_LAG else "", remarks


@blueprint.get("/metrics")
@admits(ANYONE)
async def tell_metrics(request: Request[Any, Any]) -> HTTPResponse:
    """Send metrics for Prometheus: to the configured token, an API token, or this machine."""
    site = site_of(request)
    await _refuse_strangers(request, site.config.metrics_token)
    machine = await _look(site)
    async with site.pool.connection() as connection:
        status = await read_status(connection, datetime.now(UTC))
        aside = await set_aside.counts(connection)
        differing = await ledger.count_differing(connection)
        clock = await clock_state(connection)
        months = await keeping.kept_months(connection)
    lines = [
        line
        for name, kind, said, values in _metrics(
            machine,
            status,
            months,
            site.certificate.found,
            aside=aside,
            clock=clock,
            differing=differing,
        )
        for line in _lines(name, kind, said, values)
    ]
    return text("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


async def _refuse_strangers(request: Request[Any, Any], token: str) -> None:
    """Require a token unless this machine asks; behind a proxy every request comes from it."""
    given = bearer(request)
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return
    session = await current_session(request) if given else None
    if session and "metrics" in session.scopes and not session.companies:
        return
    forwarded = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "via"))
    if token or forwarded or not ip_address(request.ip).is_loopback:
        raise Forbidden


Values = dict[str, float]  # labels as Prometheus writes them -> value


def _metrics(
    machine: Machine,
    status: Status,
    months: list[keeping.KeptMonth],
    certificate: Certificate | None,
    *,
    aside: dict[str, int],
    clock: ClockState,
    differing: int,
) -> list[tuple[str, str, str, Values]]:
    backed_up = status.backed_up_at.timestamp() if status.backed_up_at else 0
    end = certificate.expires_at if certificate else None
    return [
        (
            "certificate_expiry_timestamp_seconds",
            "gauge",
            "Of BILLING_PUBLIC_URL; 0: not known.",
            {"": end.timestamp() if end else 0},
        ),
        ("build_info", "gauge", "The version.", {f'{{version="{machine.version}"}}': 1}),
        ("start_time_seconds", "gauge", "When it began.", {"": machine.began_at.timestamp()}),
        ("log_position", "counter", "Position of the last event.", {"": status.position}),
        ("events_per_second", "gauge", "Over a minute.", {"": round(status.events_a_second, 3)}),
        (
            "projection_lag_events",
            "gauge",
            "Events that a read model is behind.",
            {f'{{projection="{name}"}}': lag for name, lag in status.lags.items()},
        ),
        ("clock_doubted", "gauge", "1: nothing is closed or archived.", {"": clock.is_doubted}),
        (
            "events_set_aside",
            "gauge",
            "Events that a read model could not process.",
            {f'{{projection="{name}"}}': count for name, count in aside.items()} or {"": 0},
        ),
        (
            "accounts_differing",
            "gauge",
            "Accounts that did not add up at the last ledger check.",
            {"": differing},
        ),
        ("database_bytes", "gauge", "Size of the database.", {"": status.database_bytes}),
        (
            "month_bytes",
            "gauge",
            "Size of a month of calls.",
            {f'{{month="{each.month}"}}': each.bytes for each in months},
        ),
        ("disk_bytes", "gauge", "Size of the disk.", {"": machine.disk_bytes}),
        ("disk_free_bytes", "gauge", "Free on the disk.", {"": machine.disk_free_bytes}),
        ("archives_bytes", "gauge", "Files of archived months.", {"": machine.archives_bytes}),
        ("backups_bytes", "gauge", "Files of backups.", {"": machine.backups_bytes}),
        ("cpu_percent", "gauge", "Use of the processors.", {"": machine.cpu_percent}),
        ("memory_used_bytes", "gauge", "Used memory.", {"": machine.memory_used_bytes}),
        ("web_memory_bytes", "gauge", "Memory of the pages.", {"": machine.own_memory_bytes}),
        ("last_backup_timestamp_seconds", "gauge", "Of everything; 0: never.", {"": backed_up}),
        ("devices", "gauge", "Enabled devices.", {"": status.devices}),
        ("devices_silent", "gauge", "Of them silent for a day.", {"": status.silent_count}),
    ]


def _lines(name: str, kind: str, said: str, values: Values) -> list[str]:
    full = f"contarifa_{name}"
    head = [f"# HELP {full} {said}", f"# TYPE {full} {kind}"]
    return head + [f"{full}{labels} {value}" for labels, value in values.items()]

"""One device: its page, settings, device accounts and actions."""

from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from sanic import Blueprint, Request
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

from billing.aggregates.device import FORMATS, CascadeSet, DeviceChanged
from billing.commands import devices as commands
from billing.queries import device as reading
from billing.queries.names import company_choices, device_choices
from billing.values import Refused, new_id
from billing.web.acting import carry_out, go_on, write
from billing.web.devices.trial import send_trial
from billing.web.kit.access import ADMINISTRATORS_AND_OPERATORS, EVERY_ROLE, admits, is_fragment
from billing.web.kit.forms import Form
from billing.web.kit.i18n import gettext, locale
from billing.web.kit.pages import page
from billing.web.kit.reach import reach_of
from billing.web.site import site_of

OVERLAP_HOURS = {"0": 0, "1": 1, "24": 24, "168": 168}
ENCODINGS = ("cp1252", "latin-1", "gb18030", "shift_jis", "cp437", "cp850")
blueprint = Blueprint("device_page")


@blueprint.get("/devices/new")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def ask_device(request: Request[Any, Any]) -> HTTPResponse:
    """Show the form for a device."""
    given = {
        "time_zone": site_of(request).config.time_zone,
        "company": str(request.args.get("company", "")),
        "format": "auto",
        "country": "ES",
    }
    return await _register_page(request, Form(given))


@blueprint.post("/devices/new")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def register(request: Request[Any, Any]) -> HTTPResponse:
    """Register a device, and show the password of its first account once."""
    form, device_id = Form.of(request), new_id()
    command = commands.RegisterDevice(
        device_id=device_id,
        company_id=form.text("company"),
        name=form.text("name"),
        model=form.text("model", required=False),
        time_zone=form.choice("time_zone", available_timezones()),
        country=form.choice("country", Locale("en").territories),
        area_code=form.text("area_code", required=False, longest=10),
        format=form.choice("format", FORMATS),
    )
    if form.errors:
        return await _register_page(request, form, 422)
    try:
        await carry_out(request, commands.register_device, command)
    except Refused as refusal:
        form.refuse(refusal)
        return await _register_page(request, form, 422)
    account = f"device-{device_id}"
    password = await write(request, lambda: _issue(request, device_id, account))
    return await _shown_once(request, device_id, account, password)


@blueprint.get("/devices/<device_id:str>")
@admits(*EVERY_ROLE, limited=True)
async def show_device(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Show everything about a device; htmx loads the log of submissions alone."""
    site, reach = site_of(request), reach_of(request)
    device = await find_device(request, device_id)
    async with site.pool.connection() as connection:
        return page(
            request,
            "devices/_submissions.html" if is_fragment(request) else "devices/device.html",
            page="devices",
            device=device,
            accounts=await reading.accounts_of(connection, device_id),
            submissions=await reading.submissions_of(connection, device_id),
            port=site.config.cdr_port,
            cascade=await reading.cascade_of(connection, reach, device_id),
            others=[
                each for each in await device_choices(connection, reach, "") if each[0] != device_id
            ],
        )


@blueprint.post("/devices/<device_id:str>/cascade")
@admits(*ADMINISTRATORS_AND_OPERATORS)
async def set_cascade(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Set the device that its calls pass through next, and which records are charged."""
    form = Form.of(request)
    told = CascadeSet(
        upper=form.text("upper", required=False),
        charged=form.choice("charged", ("lower", "upper")) or "lower",
        start_seconds=form.whole("start_seconds", most=3600, empty=10),
        duration_seconds=form.whole("duration_seconds", most=3600, empty=3),
    )
    if form.errors:
        return go_on(f"/devices/{device_id}", next(iter(form.errors.values())))
    command = commands.SetCascade(device_id=device_id, change=told)
    shown = await carry_out(request, commands.set_cascade, command)
    return go_on(f"/devices/{device_id}", gettext("The cascade was set."), shown=shown)


@blueprint.get("/devices/<device_id:str>/edit")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def ask_change(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Show the form with the present settings."""
    device = await find_device(request, device_id)
    given = {
        "name": device.name,
        "model": device.model,
        "time_zone": device.time_zone,
        "country": device.country,
        "area_code": device.area_code,
        "format": device.format,
        "columns": ", ".join(device.columns),
        "fallback_encoding": device.fallback_encoding,
        "addresses": "\n".join(device.allowed_addresses),
        "silent_after_minutes": str(device.silent_after_minutes or ""),
    }
    if device.gateway_first:
        given["gateway_first"] = "yes"
    return _edit_page(request, device, Form(given))


@blueprint.post("/devices/<device_id:str>/edit")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def change(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Set everything that can be edited."""
    device, form = await find_device(request, device_id), Form.of(request)
    told = DeviceChanged(
        name=form.text("name"),
        model=form.text("model", required=False),
        time_zone=form.choice("time_zone", available_timezones()),
        country=form.choice("country", Locale("en").territories),
        area_code=form.text("area_code", required=False, longest=10),
        format=form.choice("format", FORMATS),
        columns=_parts(form.text("columns", required=False, longest=1000)),
        fallback_encoding=form.choice("fallback_encoding", ENCODINGS),
        gateway_first=form.checked("gateway_first"),
        allowed_addresses=_parts(form.text("addresses", required=False, longest=2000)),
        silent_after_minutes=form.whole("silent_after_minutes", most=100_000),
    )
    if form.errors:
        return _edit_page(request, device, form, 422)
    command = commands.ChangeDevice(device_id=device_id, change=told)
    try:
        shown = await carry_out(request, commands.change_device, command)
    except Refused as refusal:
        form.refuse(refusal)
        return _edit_page(request, device, form, 422)
    return go_on(f"/devices/{device_id}", gettext("The device was changed."), shown=shown)


@blueprint.post("/devices/<device_id:str>/disable")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def disable(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Disable a device: its submissions are refused."""
    command = commands.DisableDevice(
        device_id=device_id, reason=Form.of(request).text("reason", required=False)
    )
    shown = await carry_out(request, commands.disable_device, command)
    return go_on(f"/devices/{device_id}", gettext("The device was disabled."), shown=shown)


@blueprint.post("/devices/<device_id:str>/enable")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def enable(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Enable a device again."""
    command = commands.EnableDevice(device_id=device_id)
    shown = await carry_out(request, commands.enable_device, command)
    return go_on(f"/devices/{device_id}", gettext("The device was enabled."), shown=shown)


@blueprint.post("/devices/<device_id:str>/accounts")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def add_account(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Add a device account, and show its password once."""
    await find_device(request, device_id)
    account = Form.of(request).text("account", required=False, longest=60)
    account = account or f"device-{new_id()}"
    password = await write(request, lambda: _issue(request, device_id, account))
    return await _shown_once(request, device_id, account, password)


@blueprint.post("/devices/<device_id:str>/accounts/rotate")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def rotate(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Add a device account that replaces another, which ends after some hours."""
    form, site = Form.of(request), site_of(request)
    account = form.text("account")
    hours = OVERLAP_HOURS.get(form.given.get("hours", ""), 0)

    def work() -> tuple[str, str]:
        with site.connect() as connection:
            return commands.rotate_device_password(connection, device_id, account, hours)

    fresh, password = await write(request, work)
    return await _shown_once(request, device_id, fresh, password)


@blueprint.post("/devices/<device_id:str>/accounts/revoke")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def revoke(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """End a device account now."""
    account, site = Form.of(request).text("account"), site_of(request)

    def work() -> None:
        with site.connect() as connection:
            commands.revoke_device_account(connection, device_id, account)

    await write(request, work)
    return go_on(f"/devices/{device_id}", gettext("The account was ended."))


@blueprint.post("/devices/<device_id:str>/trial")
@admits(*ADMINISTRATORS_AND_OPERATORS, limited=True)
async def send_test_record(request: Request[Any, Any], device_id: str) -> HTTPResponse:
    """Send a test record like the device does, and show the response."""
    site, device = site_of(request), await find_device(request, device_id)
    answer = await send_trial(site.config, site.config.database_url, device_id)
    return page(request, "devices/device_trial.html", page="devices", device=device, answer=answer)


def _issue(request: Request[Any, Any], device_id: str, account: str) -> str:
    with site_of(request).connect() as connection:
        return commands.issue_device_password(connection, device_id, account)


def _parts(text: str) -> tuple[str, ...]:
    """Split a text at commas, blanks and line ends."""
    return tuple(text.replace(",", " ").replace(";", " ").split())


async def find_device(request: Request[Any, Any], device_id: str) -> reading.Device:
    """Return the device that a URL names; raises NotFound."""
    site = site_of(request)
    async with site.pool.connection() as connection:
        device = await reading.find_device(connection, device_id, site.zone.key)
    if device is None or not reach_of(request).holds(device.company_id):
        raise NotFound
    return device


async def _shown_once(
    request: Request[Any, Any], device_id: str, account: str, password: str
) -> HTTPResponse:
    return page(
        request,
        "devices/device_password.html",
        page="devices",
        device_id=device_id,
        account=account,
        password=password,
        port=site_of(request).config.cdr_port,
    )


async def _register_page(request: Request[Any, Any], form: Form, status: int = 200) -> HTTPResponse:
    async with site_of(request).pool.connection() as connection:
        companies = await company_choices(
            connection, reach_of(request), form.given.get("company", "")
        )
    return page(
        request,
        "devices/device_new.html",
        status,
        page="devices",
        form=form,
        companies=companies,
        **_options(),
    )


def _edit_page(
    request: Request[Any, Any], device: reading.Device, form: Form, status: int = 200
) -> HTTPResponse:
    return page(
        request,
        "devices/device_edit.html",
        status,
        page="devices",
        device=device,
        form=form,
        **_options(),
    )


def _options() -> dict[str, Any]:
    territories = locale().territories
    return {
        "zones": [(name, name) for name in sorted(available_timezones())],
        "countries": sorted(
            ((code, name) for code, name in territories.items() if len(code) == 2),  # noqa: PLR2004 -- ISO 3166
            key=lambda each: each[1],
        ),
        "formats": [(code, code) for code in FORMATS],
        "encodings": [(code, code) for code in ENCODINGS],
    }

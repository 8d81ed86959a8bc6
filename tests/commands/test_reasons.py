"""Reasons of commands: where one is needed, where it is optional; trimmed, and blank is none."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, get_type_hints

import msgspec
import pytest

from billing import commands
from billing.cli.setup import said_here
from billing.commands import accounts, cascades, companies, devices
from billing.log.store import Store
from billing.values import Money, Refused

ENVELOPE = said_here()
ACME = "company:acme"
FIVE = Money(5_000_000, "EUR")
RECHARGE = accounts.RechargeAccount(account=ACME, amount=FIVE, reason="cash")
FREEZE = accounts.FreezeAccount(account=ACME, reason="unpaid")
PBX = devices.RegisterDevice(
    device_id="pbx",
    company_id="acme",
    name="PBX",
    time_zone="Europe/Madrid",
    country="ES",
    area_code="91",
    model="Asterisk 20",
)
# Each command with a reason: the command, and whether its reason is needed.
COMMANDS: dict[Any, tuple[Any, bool]] = {
    accounts.recharge: (RECHARGE, False),
    accounts.recharge_once: (msgspec.structs.replace(RECHARGE, reference="7"), False),
    accounts.unfreeze: (accounts.UnfreezeAccount(account=ACME, reason=""), False),
    accounts.reverse_recharge: (
        accounts.ReverseRecharge(account=ACME, version=2, reason=""),
        True,
    ),
    accounts.adjust: (accounts.AdjustAccount(account=ACME, amount=FIVE, reason=""), True),
    accounts.freeze: (FREEZE, True),
    accounts.close: (accounts.CloseAccount(account=ACME, reason=""), True),
    devices.disable_device: (devices.DisableDevice(device_id="pbx", reason=""), True),
}
ELSEWHERE = {cascades.part_calls}  # needs a pair: tests/aggregates/test_pairs.py
BLANK = ("", " ", "\t\n", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", "\x00")


def handlers() -> Iterator[Callable[..., Any]]:
    """Yield every function that carries out a command with a reason."""
    for module in pkgutil.iter_modules(commands.__path__, "billing.commands."):
        for _, function in inspect.getmembers(import_module(module.name), inspect.isfunction):
            kind = get_type_hints(function).get("command")
            fields = getattr(kind, "__struct_fields__", ())
            if not function.__name__.startswith("_") and "reason" in fields:
                yield function


def test_every_command_with_a_reason_says_whether_it_is_needed() -> None:
    assert set(handlers()) == set(COMMANDS) | ELSEWHERE


@pytest.mark.parametrize("handler", COMMANDS, ids=lambda each: each.__name__)
def test_a_reason_is_needed_or_optional_and_always_trimmed(
    handler: Callable[..., Any], store: Store
) -> None:
    command, is_needed = COMMANDS[handler]
    opened = companies.OpenCompany(
        company_id="acme", name="Acme", currency="EUR", time_zone="Europe/Madrid"
    )
    companies.open_company(store, opened, ENVELOPE)
    accounts.recharge(store, RECHARGE, ENVELOPE)
    devices.register_device(store, PBX, ENVELOPE)
    if handler is accounts.unfreeze:
        accounts.freeze(store, FREEZE, ENVELOPE)
    for blank in BLANK if is_needed else ():
        with pytest.raises(Refused, match="Enter a reason"):
            handler(store, msgspec.structs.replace(command, reason=blank), ENVELOPE)
    given, kept = (" paid\t", "paid") if is_needed else ("\N{NO-BREAK SPACE}", "")
    handler(store, msgspec.structs.replace(command, reason=given), ENVELOPE)
    assert store.after(0, 100)[-1].event.reason == kept  # type: ignore[attr-defined]

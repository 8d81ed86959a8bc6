"""Runs rating vectors in the neutral form: `python -m tests.rating.vectors FILE`.

Prints a line for each mismatch; the exit status is 1 if there is any.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.rating.charge import Charge, charge, clamp, round_ratio
from billing.rating.prefixes import PrefixTable
from billing.rating.rates import Band, CompiledRate, Rate, Tier, compile_rate
from billing.values import PRICE_UNITS

UNDATED = datetime(2026, 1, 5, tzinfo=UTC)  # for calls whose time does not matter
# Prices may have more decimals than a deck allows, so all are counted in millionths.
SCALE = 6


def scaled(price: str) -> str:
    """Return a price in millionths of the vector's unit."""
    return f"{Decimal(price).scaleb(SCALE):f}" if price else ""


def rate_of(tariff: dict[str, Any]) -> Rate:
    """Return a vector's tariff as our rate."""
    bands = tuple(
        Band(
            name=band["name"],
            days=tuple(band.get("days", ())),
            dates=tuple(band.get("dates", ())),
            from_time=band.get("from", "00:00:00"),
            to_time=band.get("to", "24:00:00"),
            weight=band.get("weight", 0),
            connect_fee=scaled(band.get("connect_fee", "")),
            tiers=tuple(
                Tier(
                    from_s=tier["from_seconds"],
                    price=scaled(tier["rate"]),
                    unit_s=tier["unit_seconds"],
                    increment_s=tier["increment_seconds"],
                )
                for tier in band["tiers"]
            ),
        )
        for band in tariff.get("bands", ())
    )
    return Rate(
        name="vector",
        prefix="0",
        bands=bands,
        band_policy="split",
        connect_fee=scaled(tariff.get("connect_fee", "0")),
        min_cost=scaled(tariff.get("min_cost", "")),
        max_cost=scaled(tariff.get("max_cost", "")),
    )


def cost(subtotal: Charge, rate: CompiledRate, tariff: dict[str, Any]) -> Fraction:
    """Return the cost of an exact subtotal: min, max, and one rounding if the vector has one."""
    numerator, denominator, _ = clamp(subtotal, rate)
    exact = Fraction(numerator, denominator * PRICE_UNITS * 10**SCALE)
    rounding = tariff.get("rounding")
    if not rounding:
        return exact
    scaled = exact * Fraction(10) ** int(rounding["decimals"])
    rounded = round_ratio(scaled.numerator, scaled.denominator, rounding["method"])
    return Fraction(rounded) / Fraction(10) ** int(rounding["decimals"])


def run(vector: dict[str, Any]) -> Fraction:
    """Return our cost of a vector."""
    tariff = vector["tariff"]
    rate = compile_rate(rate_of(tariff))
    if vector["kind"] == "finalize":
        exact = Fraction(vector["subtotal"]) * PRICE_UNITS * 10**SCALE
        return cost(Charge(exact.numerator, exact.denominator, 0, 0, ()), rate, tariff)
    call = vector["call"]
    said = call["answered_at"]
    answered_at = datetime.fromisoformat(said) if said else UNDATED
    milliseconds = Fraction(str(call["duration_seconds"])) * 1000
    return cost(charge(rate, answered_at, ZoneInfo("UTC"), milliseconds), rate, tariff)


def mismatches(vectors: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each vector whose cost differs."""
    for vector in vectors["vectors"]:
        try:
            got, wanted = run(vector), Fraction(vector["expected_cost"])
        except Exception as error:  # noqa: BLE001 -- a vector that can't be run is a mismatch
            yield f"{vector['id']}: {error!r}"
            continue
        if got != wanted:
            yield f"{vector['id']}: {float(got)} instead of {vector['expected_cost']}"
    for vector in vectors.get("prefix_vectors", ()):
        found = PrefixTable({prefix: prefix for prefix in vector["prefixes"]}).find(
            vector["number"]
        )
        if found != vector["expected_prefix"]:
            yield f"{vector['id']}: {found} instead of {vector['expected_prefix']}"


def main() -> int:
    """Run the file named on the command line; return the exit status."""
    vectors = json.loads(Path(sys.argv[1]).read_text())
    found = list(mismatches(vectors))
    print("\n".join(found), end="\n" if found else "")
    total = len(vectors["vectors"]) + len(vectors.get("prefix_vectors", ()))
    print(f"{total - len(found)} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

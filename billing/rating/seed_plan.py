"""The initial number plan for the countries of an installation, from the data of `phonenumbers`.

Built at set-up and never imported by a running service: the geographic names alone take 100 MB.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import phonenumbers
from babel import Locale
from phonenumbers import PhoneMetadata, PhoneNumberType
from phonenumbers.shortnumberinfo import (
    ShortNumberCost,
    expected_cost_for_region,
    is_emergency_number,
    is_possible_short_number_for_region,
    is_sms_service_for_region,
    is_valid_short_number_for_region,
)

from billing.rating.number_plan import PlanEntry
from billing.values import Refused

TYPES = {
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "landline",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.PERSONAL_NUMBER: "special",
    PhoneNumberType.VOIP: "landline",
    PhoneNumberType.UAN: "special",
    PhoneNumberType.PAGER: "special",
    PhoneNumberType.VOICEMAIL: "special",
}
COSTS = {ShortNumberCost.TOLL_FREE: "toll_free", ShortNumberCost.PREMIUM_RATE: "premium"}
WORDS = {
    "es": {
        "mobile": "móviles",
        "toll_free": "número gratuito",
        "premium": "tarificación adicional",
        "shared_cost": "coste compartido",
        "special": "servicios",
        "emergency": "emergencias",
        "satellite": "satélite",
    },
    "en": {
        "mobile": "mobile",
        "toll_free": "toll-free",
        "premium": "premium rate",
        "shared_cost": "shared cost",
        "special": "services",
        "emergency": "emergency",
        "satellite": "satellite",
    },
}
# Emergency services that the package lists as ordinary services: health, police, fire brigade.
EMERGENCIES = {"ES": ("061", "062", "080", "091", "092")}
# Ranges that the package can't tell from landlines, as numbers of both have the same form.
MOBILE = {"CL": ("9",)}
NORTH_AMERICA = 1  # the calling code of 25 countries
SATELLITE = ("870", "8812", "8813", "8816", "8817")
LEAST_SAMPLED = 3  # national digits; sampling with fewer can miss whole ranges
MOST_SAMPLED = 5  # most national digits needed to tell types of numbers apart
FILLINGS = ("0123456789", "2345678901", "5678901234", "9876543210", "1111111111", "7070707070")


def seed_plan(countries: Sequence[str], language: str) -> list[PlanEntry]:
    """Build the plan for some countries (ISO 3166); all others get an entry per calling code.

    Contains areas with names in `language`, mobile and special ranges, and short codes. The result
    is deterministic. Refused for an unknown country.
    """
    found = {(entry.prefix, ""): entry for entry in _countries(language)}
    for country in countries:
        if not phonenumbers.country_code_for_region(country):
            raise Refused("%(code)s is not a country code.", code=country)
        ranges = list(_ranges(country, language))
        mobile = tuple(entry.prefix for entry in ranges if entry.type == "mobile")
        # Place names below a mobile range tell where a SIM card was sold: 130,000 in China.
        areas = (each for each in _areas(country, language) if not each.prefix.startswith(mobile))
        for part in (areas, ranges):
            found |= {(entry.prefix, ""): entry for entry in part}
        found |= {(entry.prefix, country): entry for entry in _short_codes(country, language)}
    return [found[key] for key in sorted(found)]


def _name(country: str, language: str) -> str:
    return str(Locale(language).territories.get(country, country))


def _countries(language: str) -> Iterator[PlanEntry]:
    for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        if regions[0] == "001":
            continue
        yield _entry(str(code), _name(regions[0], language), "landline", regions[0])
        for region in regions[1:]:
            metadata = PhoneMetadata.metadata_for_region(region)
            for digits in _leading(metadata.leading_digits if metadata else None):
                yield _entry(f"{code}{digits}", _name(region, language), "landline", region)
        if code == NORTH_AMERICA:  # Canada is recognised by its area codes only
            for area in range(200, 1000):
                if _region(f"{code}{area}") == "CA":
                    yield _entry(f"{code}{area}", _name("CA", language), "landline", "CA")
    for prefix in SATELLITE:
        yield _entry(prefix, WORDS[language]["satellite"], "satellite", "")


def _entry(prefix: str, area: str, kind: str, country: str) -> PlanEntry:
    return PlanEntry(prefix=prefix, area=area, type=kind, country=country)


def _leading(pattern: str | None) -> list[str]:
    """Return the first national digits of a country that shares its calling code."""
    if not pattern:
        return []
    return [f"{n:03}" for n in range(1000) if re.fullmatch(pattern, f"{n:03}")]


def _areas(country: str, language: str) -> Iterator[PlanEntry]:
    # Imported here because it takes half a second, and only a seed needs it.
    from phonenumbers.geodata import GEOCODE_DATA  # noqa: PLC0415

    code = phonenumbers.country_code_for_region(country)
    for prefix, names in GEOCODE_DATA.items():
        if not prefix.startswith(str(code)):
            continue
        ours = len(prefix) == len("1212") and _region(prefix) == country
        if code != NORTH_AMERICA or ours:
            name = names.get(language) or names.get("en") or next(iter(names.values()))
            yield _entry(prefix, name, "landline", country)


def _region(area: str) -> str | None:
    """Return the country of a North American area code such as 1212."""
    number = phonenumbers.PhoneNumber(NORTH_AMERICA, int(area[1:] + "2345678"))
    return phonenumbers.region_code_for_number(number)


def _ranges(country: str, language: str) -> Iterator[PlanEntry]:
    """Yield ranges other than landlines, found by the types of sample numbers, digit by digit."""
    code = phonenumbers.country_code_for_region(country)
    metadata: Any = PhoneMetadata.metadata_for_region(country)
    lengths = [n for n in metadata.general_desc.possible_length if n > MOST_SAMPLED]
    known = [(head, "mobile") for head in MOBILE.get(country, ())]
    for head, kind in (*_descend(country, "", lengths), *known):
        if kind != "landline":
            name = f"{_name(country, language)}, {WORDS[language][kind]}"
            yield _entry(f"{code}{head}", name, kind, country)


def _descend(country: str, head: str, lengths: list[int]) -> list[tuple[str, str]]:
    """Return the types of the prefixes below `head`, merged where all of them are equal.

    Prefixes shorter than LEAST_SAMPLED are not sampled: samples of 1 80 miss 1 800 among landlines.
    """
    if len(head) >= LEAST_SAMPLED:
        kinds = _kinds(country, head, lengths)
        if len(kinds) <= 1:
            return [(head, kind) for kind in kinds]
        if len(head) == MOST_SAMPLED:
            return [(head, max(kinds, key=lambda kind: kind != "landline"))]
    found = [each for digit in "0123456789" for each in _descend(country, head + digit, lengths)]
    types = {kind for _, kind in found}
    return [(head, types.pop())] if len(head) > 1 and len(types) == 1 else found


def _kinds(country: str, head: str, lengths: list[int]) -> set[str]:
    code = phonenumbers.country_code_for_region(country)
    alone = len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]) == 1
    numbers = (
        phonenumbers.PhoneNumber(country_code=code, national_number=int(text))
        for length in lengths
        for filling in FILLINGS
        if (text := (head + filling + filling)[:length])[0] != "0"
    )
    types = {
        phonenumbers.number_type(number)
        for number in numbers
        if alone or phonenumbers.is_valid_number_for_region(number, country)
    }
    return {TYPES[each] for each in types if each in TYPES}


def _short_codes(country: str, language: str) -> Iterator[PlanEntry]:
    for length in (3, 4, 5):
        for n in range(10**length):
            digits = f"{n:0{length}}"
            number = phonenumbers.PhoneNumber(
                country_code=phonenumbers.country_code_for_region(country),
                national_number=n,
                italian_leading_zero=digits[0] == "0" or None,
                number_of_leading_zeros=len(digits) - len(digits.lstrip("0")) or None,
            )
            if not is_possible_short_number_for_region(number, country):
                continue
            if not is_valid_short_number_for_region(number, country):
                continue
            if is_sms_service_for_region(number, country):
                continue  # there are thousands, and nobody can call them
            if is_emergency_number(digits, country) or digits in EMERGENCIES.get(country, ()):
                kind = "emergency"
            else:
                kind = COSTS.get(expected_cost_for_region(number, country), "special")
            yield PlanEntry(
                prefix=digits,
                area=f"{_name(country, language)}, {WORDS[language][kind]}",
                type=kind,
                country=country,
                min_len=length,
                max_len=length,
            )

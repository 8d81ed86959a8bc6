"""Parses records of FreeSWITCH: mod_json_cdr and mod_xml_cdr have equal contents."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from billing.rating.cdr import Cdr, Direction
from billing.reading.delivery import Delivery
from billing.reading.times import moments
from billing.reading.values import (
    BadDuration,
    Fields,
    direction_of,
    fields_of,
    first_of,
    milliseconds,
    number_dialled,
    result_of,
    whole_number,
)

_GATEWAY = re.compile(r"sofia/gateway/(?:[^/:]{1,80}::)?([^/]{1,80})/")
_STAMPS = ("start_stamp", "end_stamp", "profile_start_stamp")


def is_record(value: Mapping[Any, Any]) -> bool:
    """Whether a JSON object is a record of mod_json_cdr."""
    variables = value.get("variables")
    return isinstance(variables, dict) and ("uuid" in variables or "core-uuid" in value)


def read_json(value: Mapping[Any, Any], delivery: Delivery) -> Cdr:
    """Build the record from a mod_json_cdr object."""
    callflow = value.get("callflow")
    if isinstance(callflow, list):  # latest first: where the call was routed in the end
        callflow = callflow[0] if callflow else None
    profile = callflow.get("caller_profile") if isinstance(callflow, dict) else None
    profile = fields_of(profile) if isinstance(profile, dict) else {}
    return read(fields_of(value["variables"]), profile, delivery)


def read(variables: Fields, profile: Fields, delivery: Delivery) -> Cdr:
    """Build the record from a leg's variables and its latest caller profile."""
    variables = _decoded(variables)
    duration_ms, billed_ms, problem = _durations(variables)
    times = moments(
        _stamp(variables, "start"),
        _stamp(variables, "answer"),
        _stamp(variables, "end"),
        zone=delivery.zone,
        duration_ms=duration_ms,
    )
    cause = variables.get("hangup_cause", "")
    uuid = variables.get("uuid", "").removeprefix("a_")
    a_leg = first_of(variables, "originating_leg_uuid", "originator")
    is_b_leg = bool(a_leg) and variables.get("direction") == "outbound"
    q850 = variables.get("hangup_cause_q850", "")
    return Cdr(
        key=uuid,
        call_id=a_leg or uuid,
        started_at=times.started_at,
        answered_at=times.answered_at,
        ended_at=times.ended_at,
        duration_ms=duration_ms,
        billed_ms=billed_ms,
        caller=_caller(variables, profile),
        called=_called(variables, profile),
        direction="" if is_b_leg else _direction(variables),
        result=result_of("answered" if times.answered_at else cause, billed_ms, q850=q850),
        cause=cause,
        caller_name=first_of(profile, "caller_id_name"),
        source_trunk="" if is_b_leg else _own_gateway(variables),
        target_trunk=_target_trunk(variables, is_b_leg=is_b_leg),
        pin=variables.get("accountcode", ""),
        tenant=first_of(variables, "domain_name") or profile.get("context", ""),
        flags=(*times.flags, "b_leg") if is_b_leg else times.flags,
        problem=times.problem or problem,
    )


def _decoded(variables: Fields) -> Fields:
    """Undo the %-encoding that `encode-values` applies to each variable.

    A stamp shows whether it was applied: it contains a space and colons, and never its own %.
    """
    if not any("%" in variables.get(name, "") for name in _STAMPS):
        return variables
    return {name: unquote(value) for name, value in variables.items()}


def _stamp(variables: Fields, moment: str) -> str:
    for name in (f"{moment}_uepoch", f"{moment}_epoch"):
        if name in variables:
            return variables[name]
    return variables.get(f"{moment}_stamp", "")


def _durations(variables: Fields) -> tuple[int, int, str]:
    """Return milliseconds of the leg, milliseconds of talk time, and a problem or ""."""
    try:
        duration_ms = _finest(variables, "mduration", "duration")
        billed_ms = _finest(variables, "billmsec", "billsec")
    except BadDuration:
        return 0, 0, "bad_duration"
    answered = _stamp(variables, "answer") not in ("", "0")
    lacks_talk_time = answered and "billmsec" not in variables and "billsec" not in variables
    return duration_ms, billed_ms, "bad_duration" if lacks_talk_time else ""


def _finest(variables: Fields, milli: str, whole: str) -> int:
    if variables.get(milli):
        return whole_number(variables[milli])
    return milliseconds(variables.get(whole, ""))


def _caller(variables: Fields, profile: Fields) -> str:
    return number_dialled(
        first_of(profile, "caller_id_number", "ani")
        or first_of(variables, "caller_id_number", "sip_from_user")
    )


def _called(variables: Fields, profile: Fields) -> str:
    return number_dialled(
        profile.get("destination_number", "")
        or first_of(variables, "destination_number", "sip_req_user", "sip_to_user")
    )


def _direction(variables: Fields) -> Direction:
    """Return the direction of the call; a leg's own "inbound" only means "into the switch".

    A leg from a phone is the caller's outbound call; one from a gateway may be either.
    """
    direction = direction_of(variables.get("call_direction", ""))  # set by FusionPBX' dialplan
    if direction or _own_gateway(variables):
        return direction
    return "outbound" if variables.get("direction") == "inbound" else ""


def _own_gateway(variables: Fields) -> str:
    return first_of(variables, "sip_gateway_name", "sip_gateway")


def _target_trunk(variables: Fields, *, is_b_leg: bool) -> str:
    if is_b_leg:
        return _own_gateway(variables)
    for name in ("last_arg", "current_application_data"):
        if found := _GATEWAY.search(variables.get(name, "")):
            return found[1]
    return ""

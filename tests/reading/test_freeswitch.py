"""FreeSWITCH: plain JSON, `cdr=` in two encodings, and invalid XML."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from billing.rating.cdr import Cdr
from billing.reading import Unacceptable
from tests.reading.bodies import cdr_of, read, sample

A_LEG = Cdr(
    key="98d8ac49-6c21-4555-820d-f80802878321",
    call_id="98d8ac49-6c21-4555-820d-f80802878321",
    started_at=datetime(2026, 11, 23, 1, 47, 42, 968783, UTC),
    answered_at=datetime(2026, 11, 23, 1, 47, 43, 8784, UTC),
    ended_at=datetime(2026, 11, 23, 1, 47, 46, 48790, UTC),
    duration_ms=3080,
    billed_ms=3040,
    caller="1001",
    called="49301234501",
    direction="outbound",
    result="answered",
    cause="NORMAL_CLEARING",
    caller_name="Alice",
    pin="acme",
    tenant="acme",
)
VARIABLES = {
    "direction": "inbound",
    "uuid": A_LEG.key,
    "accountcode": "acme",
    "start_stamp": "2026-11-23 01:47:42",
    "start_uepoch": "1795398462968783",
    "answer_uepoch": "1795398463008784",
    "end_uepoch": "1795398466048790",
    "mduration": "3080",
    "billmsec": "3040",
    "hangup_cause": "NORMAL_CLEARING",
    "hangup_cause_q850": "16",
}
PROFILE = {
    "caller_id_name": "Alice",
    "caller_id_number": "1001",
    "destination_number": "49301234501",
    "context": "acme",
}


def record(**variables: str) -> dict[str, Any]:
    return {
        "core-uuid": "265a9a8f",
        "variables": {**VARIABLES, **variables},
        "callflow": [{"caller_profile": PROFILE}],
    }


def xml(**variables: str) -> str:
    def elements(values: dict[str, str]) -> str:
        return "".join(f"<{name}>{quote(each)}</{name}>" for name, each in values.items())

    return (
        f'<?xml version="1.0"?>\n<cdr core-uuid="265a9a8f"><variables>'
        f"{elements({**VARIABLES, **variables})}<nolocal:req_uuid>x</nolocal:req_uuid>"
        f"<DP_MATCH>1</DP_MATCH><0 odd$name=''>y</0></variables>"
        f"<callflow><caller_profile>{elements(PROFILE)}</caller_profile></callflow></cdr>"
    ).replace("<0 odd$name=''>y</0>", "<0odd$name>y</0odd$name>")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("freeswitch/json-plain-aleg.req", "freeswitch_json"),
        ("freeswitch/xml-formencoded.req", "freeswitch_xml"),
    ],
)
def test_captured_json_and_xml_of_one_leg_give_the_same_record(name: str, source: str) -> None:
    body = sample(name)
    (found,) = read(body)
    assert found.cdr == A_LEG
    assert (found.source, found.raw) == (source, body.decode().strip())


def test_the_captured_b_leg_is_flagged_and_linked_to_its_a_leg() -> None:
    cdr = cdr_of(sample("freeswitch/json-plain-bleg.req"))
    assert (cdr.key, cdr.call_id) == ("38d5b8be-dc23-4d77-8d6c-372cbd7aac63", A_LEG.key)
    assert (cdr.direction, cdr.result, cdr.flags) == ("", "answered", ("b_leg",))
    assert (cdr.duration_ms, cdr.billed_ms) == (3080, 3060)
    assert cdr.answered_at == datetime(2026, 11, 23, 1, 47, 42, 988786, UTC)


def test_the_captured_busy_call_was_not_answered() -> None:
    cdr = cdr_of(sample("freeswitch/json-plain-busy.req"))
    assert cdr.key == "2beb7f78-70cb-4c7b-9d51-be0b3c16b7be"
    assert (cdr.result, cdr.cause, cdr.answered_at) == ("busy", "USER_BUSY", None)
    assert (cdr.duration_ms, cdr.billed_ms) == (0, 0)
    assert cdr.started_at == cdr.ended_at == datetime(2026, 11, 23, 1, 47, 50, 428782, UTC)
    assert cdr.called == "49301234504"


def test_the_captured_form_whose_values_lose_their_quotes_is_parsed() -> None:
    cdr = cdr_of(sample("freeswitch/json-formencoded.req"))
    assert cdr.key == "6561299a-9ca2-4881-97b5-e1a099f3d6d5"
    assert (cdr.caller, cdr.called, cdr.caller_name) == ("1001", "49301234701", "Alice")
    assert (cdr.duration_ms, cdr.billed_ms, cdr.result) == (2860, 1640, "answered")
    assert cdr.started_at == datetime(2026, 11, 23, 1, 59, 42, 150827, UTC)
    assert (cdr.flags, cdr.problem) == ((), "")


def test_every_way_to_send_a_leg_gives_the_same_record() -> None:
    plain = json.dumps(record())
    encoded_values = json.dumps(record(**{name: quote(each) for name, each in VARIABLES.items()}))
    bodies = [
        plain,
        json.dumps(record(), indent=1),
        encoded_values,
        f"cdr={quote(plain)}",
        f"cdr={quote(encoded_values, safe='%')}",
        f"cdr={quote(encoded_values)}",
        f"cdr={base64.b64encode(plain.encode()).decode()}",
        f"cdr={quote(base64.b64encode(plain.encode()).decode())}",
        xml(),
        f"cdr={quote(xml())}",
        f"cdr={base64.b64encode(xml().encode()).decode()}",
    ]
    for body in bodies:
        assert cdr_of(body) == A_LEG
        assert cdr_of(f"{body}\n") == A_LEG


def test_base64_with_raw_plus_signs_is_taken_from_the_raw_bytes() -> None:
    body = json.dumps(record(note="\u00fb\u00ff>>>~~~???"), ensure_ascii=False).encode()
    packed = base64.b64encode(body)
    assert b"+" in packed
    for each in (packed, packed.replace(b"+", b" "), packed.rstrip(b"=")):
        assert cdr_of(b"cdr=" + each) == A_LEG


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE cdr [<!ENTITY a "b">]>',
        '<!DOCTYPE cdr SYSTEM "http://127.0.0.1/x.dtd">',
        '<!DOCTYPE cdr [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_xml_with_a_dtd_or_entities_is_refused(doctype: str) -> None:
    body = f'<?xml version="1.0"?>{doctype}<cdr><variables><uuid>&a;</uuid></variables></cdr>'
    for each in (body, f"cdr={quote(body)}"):
        with pytest.raises(Unacceptable) as refused:
            read(each)
        assert refused.value.status == 400


@pytest.mark.parametrize("body", ["<cdr><variables>", "<html></html>", "cdr=", "cdr=%7Bbroken"])
def test_an_unreadable_body_is_kept(body: str) -> None:
    (found,) = read(body)
    assert (found.cdr.problem, found.raw) == ("unreadable", body)
    assert found.cdr.key.startswith("sha256:")


def test_the_prefix_of_a_uuid_is_not_part_of_the_key() -> None:
    assert cdr_of(json.dumps(record(uuid=f"a_{A_LEG.key}"))).key == A_LEG.key


def test_a_gateway_is_a_trunk_and_does_not_decide_the_direction() -> None:
    out = cdr_of(json.dumps(record(last_arg="sofia/gateway/acme::carrier-1/4930")))
    assert (out.target_trunk, out.direction) == ("carrier-1", "outbound")
    arrived = cdr_of(json.dumps(record(sip_gateway_name="telco")))
    assert (arrived.source_trunk, arrived.direction) == ("telco", "")
    told = cdr_of(json.dumps(record(sip_gateway_name="telco", call_direction="inbound")))
    assert told.direction == "inbound"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start_uepoch": "0"}, "bad_time"),
        ({"start_uepoch": "9999999999999999"}, "bad_time"),
        ({"billmsec": "-1"}, "bad_duration"),
        ({"mduration": "x"}, "bad_duration"),
    ],
)
def test_broken_counters_are_reported(changes: dict[str, str], problem: str) -> None:
    assert cdr_of(json.dumps(record(**changes))).problem == problem


def test_older_whole_seconds_and_local_stamps_are_accepted() -> None:
    old = {
        "uuid": "1",
        "start_stamp": "2026-07-01 12:00:00",
        "answer_stamp": "2026-07-01 12:00:01",
        "end_stamp": "2026-07-01 12:00:05",
        "duration": "5",
        "billsec": "4",
    }
    cdr = cdr_of(json.dumps({"variables": old}), zone="Europe/Madrid")
    assert (cdr.duration_ms, cdr.billed_ms, cdr.result) == (5000, 4000, "answered")
    assert cdr.started_at == datetime(2026, 7, 1, 10, tzinfo=UTC)

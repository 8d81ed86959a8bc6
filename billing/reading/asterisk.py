"""Parses Asterisk's CDR columns, whatever their transport: CSV, JSON lines, form or AMI."""

import re
from collections.abc import Sequence

from billing.rating.cdr import Cdr
from billing.reading.delivery import Delivery
from billing.reading.named import durations
from billing.reading.times import moments
from billing.reading.values import Fields, first_of, number_dialled, result_of

_BASE = (
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
)
_NEW = ("peeraccount", "linkedid", "sequence")  # with newcdrcolumns=yes
_CUSTOM = (
    "clid",
    "src",
    "dst",
    "dcontext",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "accountcode",
    "uniqueid",
    "userfield",
    "sequence",
)
# Synonyms in the AMI event and in FreePBX' table.
_OTHER_NAMES = {
    "source": "src",
    "destination": "dst",
    "destinationcontext": "dcontext",
    "callerid": "clid",
    "destinationchannel": "dstchannel",
    "lastapplication": "lastapp",
    "starttime": "start",
    "calldate": "start",
    "answertime": "answer",
    "endtime": "end",
    "billableseconds": "billsec",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
_UNIQUEID = re.compile(r"(?:.{1,80}-)?(\d{9,10})\.\d{1,9}", re.ASCII)
_CHANNEL = re.compile(r"[A-Za-z0-9]{1,20}/([^/]{1,120}?)(?:-[0-9a-fA-F]{1,16})?(?:;\d)?(?:/.*)?")


def layout_of(row: Sequence[str]) -> Sequence[str]:
    """Return the column names of a CSV row; empty if the row is not Asterisk's.

    cdr.conf decides which columns exist. The position of the times distinguishes the two modules;
    the form of the 17th column tells whether it is the id or the user field.
    """
    size = len(row)
    if size == len(_CUSTOM) and _TIME.match(row[8]):
        return _CUSTOM
    if not len(_BASE) <= size <= len(_BASE) + 5 or not _TIME.match(row[9]):
        return ()
    between = size - len(_BASE)
    new = _NEW if between >= len(_NEW) else ()
    match between - len(new):
        case 0:
            return (*_BASE, *new)
        case 1:
            name = "uniqueid" if _UNIQUEID.fullmatch(row[16]) else "userfield"
            return (*_BASE, name, *new)
        case _:
            return (*_BASE, "uniqueid", "userfield", *new)


def is_record(fields: Fields) -> bool:
    """Whether named fields are a CDR of Asterisk."""
    return "uniqueid" in fields or ("disposition" in fields and "billsec" in fields)


def read(fields: Fields, delivery: Delivery) -> Cdr:
    """Build the record from Asterisk's columns by name."""
    fields = {_OTHER_NAMES.get(name, name): value for name, value in fields.items()}
    disposition = fields.get("disposition", "")
    length = durations(fields)
    lacks_talk_time = disposition.upper() == "ANSWERED" and not length.has_talk_time
    uniqueid = fields.get("uniqueid", "")
    found = _UNIQUEID.fullmatch(uniqueid)
    times = moments(
        fields.get("start", ""),
        fields.get("answer", ""),
        fields.get("end", ""),
        zone=delivery.zone,
        duration_ms=length.duration_ms,
        epoch=int(found[1]) if found else None,
    )
    name, number = caller_id(fields.get("clid", ""))
    return Cdr(
        key=key_of(fields),
        call_id=fields.get("linkedid") or uniqueid,
        started_at=times.started_at,
        answered_at=times.answered_at,
        ended_at=times.ended_at,
        duration_ms=length.duration_ms,
        billed_ms=length.billed_ms,
        caller=number_dialled(fields.get("src") or number),
        called=number_dialled(fields.get("dst", "")),
        result=result_of(disposition, length.billed_ms),
        cause=disposition,
        caller_name=name,
        source_trunk=peer_of(fields.get("channel", "")),
        target_trunk=peer_of(fields.get("dstchannel", "")),
        pin=fields.get("accountcode", ""),
        tenant=first_of(fields, "dcontext"),
        flags=times.flags,
        problem=times.problem or length.problem or ("bad_duration" if lacks_talk_time else ""),
    )


def key_of(fields: Fields) -> str:
    """Return the key: several rows share one uniqueid, so without a sequence the content is added.

    Times are used as written, so that another zone in the profile gives the same key.
    """
    uniqueid, sequence = fields.get("uniqueid", ""), fields.get("sequence", "")
    if not uniqueid:
        return ""
    if sequence:
        return f"{uniqueid}|{sequence}"
    rest = ("dstchannel", "start", "end", "lastapp", "disposition")
    return "|".join((uniqueid, *(fields.get(name, "") for name in rest)))


def caller_id(clid: str) -> tuple[str, str]:
    """Return name and number of a caller ID such as `"Alice" <1001>`."""
    name, number = clid.strip(), ""
    if name.endswith(">") and "<" in name:
        name, _, number = name[:-1].rpartition("<")
        name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    elif not number and name.lstrip("+").isdigit():
        return "", name
    return name.strip(), number.strip()


def peer_of(channel: str) -> str:
    """Return a channel's peer: "PJSIP/carrier-00000001" -> "carrier"; "" for Local channels."""
    found = _CHANNEL.fullmatch(channel)
    return found[1] if found and not channel.startswith("Local/") else ""

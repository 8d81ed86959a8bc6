"""Parses mod_xml_cdr, even if its XML is invalid; never follows a DTD or an entity."""

import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from billing.rating.cdr import CallRecord
from billing.reading import freeswitch
from billing.reading.delivery import Delivery, RecordText
from billing.reading.model import Unacceptable
from billing.reading.values import text_of

_TAG = re.compile(r"<(/?)([^\s<>/!?][^\s<>/]*)")
_ATTRIBUTE_PREFIX = re.compile(r"(?<=\s)([\w.-]{1,80}):(?=[\w.-]{1,80}=[\"'])")
_ILLEGAL = re.compile(r"[^\w.-]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def read(text: str, line: RecordText, delivery: Delivery) -> CallRecord:
    """Parse one XML text; `line` is its original form."""
    root = _parse(_without_prefixes(text))
    variables = root.find("variables") if root is not None else None
    if root is None or variables is None:
        return delivery.unreadable(line)
    profile = root.find("callflow/caller_profile")
    cdr = freeswitch.read(_children(variables), _children(profile), delivery)
    return delivery.record(line, cdr, "freeswitch_xml")


def _parse(text: str) -> Element | None:
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise Unacceptable(400, "XML with a DTD or entities is not accepted.") from error
    except (ParseError, ValueError):
        return None
    return root


def _without_prefixes(text: str) -> str:
    """Make all variables valid elements: their prefixes are unbound, some names are illegal."""
    text = _TAG.sub(lambda tag: f"<{tag[1]}{_name(tag[2])}", text)
    text = _ATTRIBUTE_PREFIX.sub(r"\1_", text) if "xmlns:" not in text else text
    return _CONTROL.sub("", text)


def _name(name: str) -> str:
    name = _ILLEGAL.sub("_", name)
    return name if name[0].isalpha() or name[0] == "_" else f"_{name}"


def _children(parent: Element | None) -> dict[str, str]:
    if parent is None:
        return {}
    return {each.tag.lower(): text_of(each.text or "") for each in parent if not len(each)}

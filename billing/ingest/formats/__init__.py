"""Bytes that a phone system sent become records: pure, and nothing of them is ever dropped."""

from billing.ingest.formats.model import SourceProfile, Unacceptable, profile_of
from billing.ingest.formats.reading import read_body, read_file

__all__ = ["SourceProfile", "Unacceptable", "profile_of", "read_body", "read_file"]

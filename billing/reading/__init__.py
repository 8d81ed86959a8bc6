"""Bytes that a phone system sent become records: pure, and nothing of them is ever dropped."""

from billing.reading.model import SourceProfile, Unacceptable, profile_of
from billing.reading.reading import read_body, read_file

__all__ = ["SourceProfile", "Unacceptable", "profile_of", "read_body", "read_file"]

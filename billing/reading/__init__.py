"""Parses bytes from a phone system into records; pure, and never drops any bytes."""

from billing.reading.model import SourceProfile, Unacceptable, profile_of
from billing.reading.reading import read_body, read_file

__all__ = ["SourceProfile", "Unacceptable", "profile_of", "read_body", "read_file"]

"""Administrators, the log of operations and the log of sign-ins."""

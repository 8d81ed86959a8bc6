"""The call list, one call, saved views, and calls as files."""

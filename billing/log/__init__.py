"""The event log: appended to in one place, sealed, and queried for its positions."""

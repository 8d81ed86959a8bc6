"""The event log: written in one place, sealed, and asked where it stands."""

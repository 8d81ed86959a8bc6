"""Reactions: what the system does by itself, by ordinary commands, as the read models ask."""

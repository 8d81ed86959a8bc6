"""Secrets: passwords, their strength, one-time codes. They never reach an event or a log."""

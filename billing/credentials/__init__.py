"""Secrets: passwords, how strong they are, one-time codes. None reaches an event or a log."""

"""Signing in, and what one does for oneself: password, second factor, API tokens."""

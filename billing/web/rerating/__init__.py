"""Suspended calls, recycling and re-rating."""

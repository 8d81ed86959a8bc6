"""Administrators, what they did and when they signed in."""

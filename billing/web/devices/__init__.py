"""Devices: their settings, extensions and route prefixes."""

"""Contarifa: call billing for IP-PBXs."""

__version__ = "0.2.0"

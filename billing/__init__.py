"""Contarifa: call billing for IP-PBXs."""

"""Queries: read the read models for pages, files and programs, within the reader's companies."""

"""Queries: what pages, files and programs ask of the read models, within the reader's reach."""

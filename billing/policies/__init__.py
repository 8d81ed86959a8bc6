"""Automatic reactions: the system watches the read models and gives ordinary commands."""

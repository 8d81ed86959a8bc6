"""Keeping: archives of months, backups, shortened numbers, and restoring all of them."""

"""Keeping: months of calls in files, backups, and what is made of them again."""

"""System information, CDR keeping and backups."""

"""System information, keeping and backups."""

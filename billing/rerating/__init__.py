"""Rating many calls again in the background: what was asked, and who does it."""

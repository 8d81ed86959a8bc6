"""Services: what the process of the pages keeps in memory or does in the background."""

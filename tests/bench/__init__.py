"""`make bench`: the cost of the main work, next to the limit of raw PostgreSQL, in one run."""

"""`make bench`: what the main job costs, beside the limit of raw PostgreSQL, in one run."""

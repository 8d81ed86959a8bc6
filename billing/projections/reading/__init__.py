"""The read side of the read models: what the pages ask of their tables."""

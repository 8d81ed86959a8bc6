"""Hostile bodies for every parser: a corpus, a mutator, a short form for tests and a long one."""

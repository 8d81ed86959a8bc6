"""The kit of every page: access, forms, filters, words, templates. Knows no feature."""

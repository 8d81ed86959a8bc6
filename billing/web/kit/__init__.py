"""The kit of every page: access, forms, filters, words, templates. It knows no feature."""

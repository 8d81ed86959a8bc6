"""Decks: prices in spreadsheets, from their rows to the changes they make. Pure."""

"""Decks: prices as spreadsheets, from their rows to what they change."""

"""Rate groups, prices, decks, the number plan and the rate tester."""

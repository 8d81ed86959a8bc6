"""Companies, user accounts and gateway accounts: their money and its history."""

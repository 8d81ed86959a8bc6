"""Work on decks in its own process: 200,000 prices need memory that a page must not keep."""

"""Work on decks in a process of its own: 200,000 prices take memory that a page must not keep."""

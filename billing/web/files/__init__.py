"""Lists as files and files as lists: Excel and CSV written, sent, read and imported."""

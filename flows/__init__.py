"""ORDER: one file per flow; each reads as a table of contents."""

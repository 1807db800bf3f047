"""Telling git hosts what became of a revision."""

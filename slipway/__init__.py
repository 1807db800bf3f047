"""The Prefect-free library: pure decisions, and one adapter for each thing outside."""

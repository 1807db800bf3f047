"""Runs begin at once: each is forked from one process that has imported Prefect and the flows (decision 9)."""

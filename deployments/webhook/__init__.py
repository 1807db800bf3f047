"""The webhook receiver and the sender that hands its events to Prefect."""

"""SCHEDULE: each task calls the library, logs, and returns a frozen value; policies.py says how often and how long."""

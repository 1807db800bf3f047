"""Bringing a release into an environment: pure decisions, and the router that carries them out."""

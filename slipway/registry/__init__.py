"""Image registries: reading, tagging and deleting by digest; credentials; which tags may move."""

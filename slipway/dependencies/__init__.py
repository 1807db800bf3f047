"""Hash-locked wheels, fetched on the host, because image builds have no network."""

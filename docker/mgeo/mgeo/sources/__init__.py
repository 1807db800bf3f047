"""Where model folders come from: a local folder, a model hub, or an archive pinned by its sha256."""

from mgeo.sources.fetching import fetch

__all__ = ["fetch"]

"""Tags and labels in docker/metadata-action's rule language, as pure data.

The same rules, flavor and event give the same tags as the action, and after that our repairs. We refuse where the
action guesses: a time zone nobody knows, a priority that is no number, and the Handlebars that has no use here
(partials, `{{#each}}`, sub-expressions). `created` is the commit's time instead of the clock's. Regular expressions
are Python's, read as JavaScript writes them.
"""

from slipway.metadata.compute import Metadata, metadata
from slipway.metadata.context import GitContext
from slipway.metadata.csvline import lines
from slipway.metadata.labels import BaseImage
from slipway.metadata.repair import Repair

__all__ = ["BaseImage", "GitContext", "Metadata", "Repair", "lines", "metadata"]

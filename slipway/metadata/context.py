"""What the tag rules and labels are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

HEADS = "refs/heads/"
TAGS = "refs/tags/"
PULL = "refs/pull/"


@dataclass(frozen=True)
class GitContext:
    """One revision and the event that brought it here, in the words of a GitHub workflow.

    `event` is `push`, `schedule`, `pull_request`, `workflow_dispatch`, ...; `ref` is full (`refs/heads/main`,
    `refs/tags/v1.2.3`, `refs/pull/7/merge`); `base_ref` is the target branch of a pull request, or what the host names
    as the base of a tag push. Times carry their zone.
    """

    event: str
    ref: str
    sha: str
    commit_time: datetime
    default_branch: str = "main"
    base_ref: str = ""
    repository_url: str = ""
    repository_name: str = ""
    description: str = ""
    licenses: str = ""

    @property
    def is_branch(self) -> bool:
        return self.ref.startswith(HEADS)

    @property
    def is_tag(self) -> bool:
        return self.ref.startswith(TAGS)

    @property
    def is_pull_request(self) -> bool:
        return self.ref.startswith(PULL)

    @property
    def branch(self) -> str:
        """`feature/x` of `refs/heads/feature/x`; empty when this is no branch."""
        return self.ref.removeprefix(HEADS) if self.is_branch else ""

    @property
    def tag(self) -> str:
        """`v1.2.3` of `refs/tags/v1.2.3`; empty when this is no tag."""
        return self.ref.removeprefix(TAGS) if self.is_tag else ""

    @property
    def pull_request(self) -> str:
        """`7` of `refs/pull/7/merge`; empty when this is no pull request."""
        return self.ref.removeprefix(PULL).removesuffix("/merge") if self.is_pull_request else ""

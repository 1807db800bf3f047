#!/usr/bin/env python3
"""A post-receive hook for a bare repository without a git host: tells Slipway's receiver of every push.

Standard library only, so that this one file can be copied to any git server:

    install -m 755 hook.py /srv/git/mgeo.git/hooks/post-receive
    cd /srv/git/mgeo.git
    git config slipway.url https://ci.example.com/hooks
    git config slipway.repository acme/mgeo
    git config slipway.cloneUrl ssh://git@git.example.com/srv/git/mgeo.git
    git config slipway.secretFile /etc/slipway/mgeo.secret      # the same secret as in the receiver's settings
    git config slipway.shape github                             # or gitlab; github when left out

A push is never refused because of this hook (git has already taken it). When the receiver cannot be reached, the person
who pushed is told, and `flows/poll.py` finds the push later.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_S = 10.0
TRIES = 3


@dataclass(frozen=True)
class Config:
    """What `git config` says under `slipway.`."""

    url: str
    repository: str
    clone_url: str
    secret: bytes
    shape: str


@dataclass(frozen=True)
class Move:
    """One line of post-receive: a ref that moved from `before` to `after`."""

    before: str
    after: str
    ref: str
    forced: bool


def git(*arguments: str) -> tuple[int, str]:
    """Exit status and output of one git command in the repository of this hook."""
    # Not slipway.processes: this file works alone.
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout.strip()


def configuration() -> Config:
    """The hook's settings. Raises `SystemExit`, with what is missing."""
    found = {
        key: git("config", "--get", f"slipway.{key}")[1] for key in ("url", "repository", "cloneUrl", "secretFile")
    }
    if missing := [key for key, value in found.items() if not value]:
        raise SystemExit(
            f"slipway: not told of this push: set {', '.join(f'git config slipway.{key}' for key in missing)}"
        )
    secret = Path(found["secretFile"]).read_bytes().strip()
    shape = git("config", "--get", "slipway.shape")[1] or "github"
    return Config(found["url"], found["repository"], found["cloneUrl"], secret, shape)


def moves(lines: str) -> list[Move]:
    """What git tells a post-receive hook on its standard input."""
    return [
        Move(before, after, ref, forced=_forced(before, after))
        for before, after, ref in map(str.split, lines.splitlines())
    ]


def _forced(before: str, after: str) -> bool:
    if not before.strip("0") or not after.strip("0"):
        return False
    return git("merge-base", "--is-ancestor", before, after)[0] == 1


def commit_of(revision: str) -> str:
    """The commit behind an annotated tag; all zeros stay all zeros."""
    return git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")[1] if revision.strip("0") else revision


def github_body(move: Move, config: Config, *, sender: str, commit: str, at: float) -> dict[str, Any]:
    """The parts of GitHub's push that say what happened."""
    gone, new = not move.after.strip("0"), not move.before.strip("0")
    return {
        "ref": move.ref,
        "before": move.before,
        "after": move.after,
        "created": new,
        "deleted": gone,
        "forced": move.forced,
        "head_commit": None if gone else {"id": commit},
        "repository": {"full_name": config.repository, "clone_url": config.clone_url, "pushed_at": at},
        "pusher": {"name": sender},
        "sender": {"login": sender},
    }


def gitlab_body(move: Move, config: Config, *, sender: str, commit: str) -> dict[str, Any]:
    """The parts of GitLab's push that say what happened."""
    kind = "tag_push" if move.ref.startswith("refs/tags/") else "push"
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": move.before,
        "after": move.after,
        "ref": move.ref,
        "checkout_sha": commit if move.after.strip("0") else None,
        "user_username": sender,
        "project": {"path_with_namespace": config.repository, "git_http_url": config.clone_url},
    }


def request(
    move: Move, config: Config, *, sender: str, commit: str, at: float, delivery: str
) -> urllib.request.Request:
    """One signed delivery."""
    if config.shape == "gitlab":
        body = json.dumps(gitlab_body(move, config, sender=sender, commit=commit)).encode()
        headers = {
            "X-Gitlab-Event": "Tag Push Hook" if move.ref.startswith("refs/tags/") else "Push Hook",
            "X-Gitlab-Token": config.secret.decode(),
            "Idempotency-Key": delivery,
        }
    else:
        body = json.dumps(github_body(move, config, sender=sender, commit=commit, at=at)).encode()
        signature = hmac.new(config.secret, body, hashlib.sha256).hexdigest()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
    return urllib.request.Request(config.url, body, headers | {"Content-Type": "application/json"}, method="POST")


def deliver(one: urllib.request.Request) -> str:
    """What the receiver made of it, in words; a receiver that is away or busy is tried again with the same id."""
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(attempt)
        try:
            with urllib.request.urlopen(one, timeout=DEADLINE_S) as answer:
                return str(json.loads(answer.read()).get("state", "told"))
        except urllib.error.HTTPError as refusal:
            reason = f"the receiver answered {refusal.code}"
            if refusal.code < 500:
                break
        except OSError as unreachable:
            reason = f"the receiver cannot be reached ({type(unreachable).__name__})"
    return f"NOT told: {reason}"


def main() -> None:
    """Tell the receiver of every ref on standard input."""
    config = configuration()
    sender = os.environ.get("REMOTE_USER") or os.environ.get("USER") or "git"
    for move in moves(sys.stdin.read()):
        commit = commit_of(move.after)
        one = request(move, config, sender=sender, commit=commit, at=time.time(), delivery=str(uuid.uuid4()))
        print(f"slipway: {move.ref}: {deliver(one)}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""The expressions that every rule, prefix, suffix and label may hold."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slipway.errors import TagRuleError
from slipway.metadata.context import HEADS, GitContext
from slipway.metadata.handlebars import Argument, Helper, Values
from slipway.metadata.moment import ISO, ISO_UTC, format_moment

SHORT_SHA = 7
_ALWAYS_DEFAULT_BRANCH = ("create", "discussion", "issues", "schedule")


def dates(context: GitContext, now: datetime) -> dict[str, Helper]:
    """`{{date 'YYYYMMDD' tz='...'}}` of the run and `{{commit_date ...}}` of the commit; UTC unless said otherwise."""
    return {"date": _date_helper("date", now), "commit_date": _date_helper("commit_date", context.commit_time)}


def everywhere(context: GitContext, now: datetime) -> Values:
    """All global expressions."""
    return {
        "branch": context.branch,
        "tag": context.tag,
        "sha": context.sha[:SHORT_SHA],
        "base_ref": _base_ref(context),
        "is_default_branch": "true" if _is_default_branch(context) else "false",
        **dates(context, now),
    }


def _base_ref(context: GitContext) -> str:
    if context.is_tag:
        return context.base_ref.removeprefix(HEADS)
    return context.base_ref if context.is_pull_request else ""


def _is_default_branch(context: GitContext) -> bool:
    name = context.ref.removeprefix(HEADS)
    if not name:
        return False
    return name == context.default_branch or any(word in context.event for word in _ALWAYS_DEFAULT_BRANCH)


def _date_helper(name: str, when: datetime) -> Helper:
    def render(arguments: list[Argument], options: dict[str, Argument]) -> str:
        if len(arguments) != 1 or set(options) - {"tz"}:
            raise TagRuleError(
                f"{{{{{name}}}}} takes one format and tz=, nothing else",
                next_step=f"write {{{{{name} 'YYYYMMDD' tz='Asia/Shanghai'}}}}",
            )
        local = when.astimezone(_zone(str(options.get("tz", "UTC"))))
        pattern = arguments[0]
        if pattern is None:
            pattern = ISO if local.utcoffset() else ISO_UTC
        return format_moment(local, str(pattern))

    return render


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise TagRuleError(
            f"there is no time zone {name!r}", next_step="name one such as Asia/Shanghai or UTC"
        ) from unknown

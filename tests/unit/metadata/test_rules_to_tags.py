"""Tables of (event, rules) -> tags, as docker/metadata-action makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import TagRuleError
from slipway.metadata import GitContext, lines, metadata
from slipway.metadata.rules import parse_flavor, parse_rules
from slipway.metadata.tags import evaluate, latest_tag

NOW = datetime(2026, 11, 20, 23, 30, 15, 250_000, UTC)
SHA = "4b1f0c9de2a37685c0ffee1234567890abcdef12"
CONTEXT = GitContext(
    event="push",
    ref="refs/heads/main",
    sha=SHA,
    commit_time=datetime(2026, 3, 7, 18, 6, 7, tzinfo=UTC),
    default_branch="main",
    repository_url="https://git.example.com/geo/addresses",
    repository_name="addresses",
    description="Address matching",
    licenses="Apache-2.0",
)
RECORDED = Path(__file__).parents[2] / "fixtures" / "metadata" / "recorded.json"


def tags(
    ref: str, rules: Sequence[str], flavor: Sequence[str] = (), event: str = "push", base_ref: str = ""
) -> list[str]:
    return list(metadata(rules, flavor, replace(CONTEXT, ref=ref, event=event, base_ref=base_ref), NOW).tags)


@pytest.mark.parametrize(
    ("event", "ref", "expected"),
    [
        ("push", "refs/heads/main", ["main"]),
        ("push", "refs/heads/release/2.x", ["release-2.x"]),
        ("push", "refs/tags/v1.4.0", ["v1.4.0", "latest"]),
        ("push", "refs/tags/nightly-build", ["nightly-build", "latest"]),
        ("pull_request", "refs/pull/31/merge", ["pr-31"]),
        ("schedule", "refs/heads/main", ["nightly", "main"]),
        ("workflow_dispatch", "refs/heads/main", ["main"]),
        ("push", "", []),
    ],
)
def test_without_rules_the_default_rules_apply(event: str, ref: str, expected: list[str]) -> None:
    assert tags(ref, [], event=event) == expected


@pytest.mark.parametrize(
    ("ref", "pattern", "expected"),
    [
        ("refs/tags/v1.4.2", "{{version}}", ["1.4.2", "latest"]),
        ("refs/tags/v1.4.2", "{{major}}.{{minor}}", ["1.4", "latest"]),
        ("refs/tags/v1.4.2", "v{{major}}", ["v1", "latest"]),
        ("refs/tags/v1.4.2", "{{raw}}", ["v1.4.2", "latest"]),
        ("refs/tags/v1.4.2-rc.1", "{{version}}", ["1.4.2-rc.1"]),
        ("refs/tags/v1.4.2-rc.1", "{{major}}.{{minor}}", ["1.4.2-rc.1"]),
        ("refs/tags/v1.4.2-rc.1", "{{ raw }}", ["v1.4.2-rc.1"]),
        ("refs/tags/v1.4.2-rc.1", "{{raw}}-x", ["1.4.2-rc.1"]),
        ("refs/tags/v1.4.2+build.7", "{{version}}", ["1.4.2", "latest"]),
        ("refs/tags/v1.4.2+build.7", "{{raw}}", ["v1.4.2-build.7", "latest"]),
        ("refs/tags/v0.3.1", "{{major}}", ["0", "latest"]),
        ("refs/tags/v1.4", "{{version}}", []),
        ("refs/tags/v01.4.2", "{{version}}", []),
        ("refs/tags/V1.4.2", "{{version}}", []),
        ("refs/tags/mgeo/v1.4.2", "{{version}}", []),
        ("refs/heads/v1.4.2", "{{version}}", []),
    ],
)
def test_semver_rules_follow_the_git_tag(ref: str, pattern: str, expected: list[str]) -> None:
    assert tags(ref, [f"type=semver,pattern={pattern}"]) == expected


@pytest.mark.parametrize(
    ("tag", "pattern", "expected"),
    [
        ("1.4.2", "{{major}}.{{minor}}", ["1.4", "latest"]),
        ("v1.4.2", "{{version}}", ["1.4.2", "latest"]),
        ("1.4", "{{patch}}", ["0", "latest"]),
        ("1.4.2rc2", "{{major}}.{{minor}}", ["1.4.2rc2"]),
        ("v1.4.2rc2", "{{raw}}", ["v1.4.2rc2"]),
        ("1.4.2beta2", "{{major}}", ["1.4.2b2"]),
        ("1.4.2post1", "{{major}}", ["1.4.2.post1"]),
        ("1.0dev4", "{{version}}", ["1.0.dev4"]),
        ("1.0+local.2", "{{version}}", ["1.0-local-2", "latest"]),
        ("release", "{{version}}", []),
    ],
)
def test_pep440_rules_follow_the_git_tag(tag: str, pattern: str, expected: list[str]) -> None:
    assert tags(f"refs/tags/{tag}", [f"type=pep440,pattern={pattern}"]) == expected


@pytest.mark.parametrize(
    ("ref", "rule", "expected"),
    [
        ("refs/tags/v1.4.2", r"type=match,pattern=\d.\d", ["1.4", "latest"]),
        ("refs/tags/v1.4.2", "type=match,pattern=v(.*),group=1", ["1.4.2", "latest"]),
        ("refs/tags/V1.4.2", "type=match,pattern=/v(.*)/i,group=1", ["1.4.2", "latest"]),
        ("refs/tags/geo/v1.4", r"type=match,pattern=geo/v(\d.\d),group=1", ["1.4", "latest"]),
        ("refs/tags/v1.4.2", r"type=match,pattern=/\d/g,group=1", ["4", "latest"]),
        ("refs/tags/v1.4.2", r'type=match,"pattern=^v(\d{1,2})",group=1', ["1", "latest"]),
        ("refs/tags/v1.4.2", "type=match,pattern=v(.*),group=2", []),
        ("refs/tags/v1.4.2", "type=match,pattern=release", []),
        ("refs/heads/v1.4.2", "type=match,pattern=v(.*)", []),
        ("refs/heads/main", "type=match,pattern=v(.*),group=1,value=v9", ["9", "latest"]),
        ("refs/tags/mgeo/v1.4.2", "type=semver,pattern={{version}},match=mgeo/(v.*)", ["1.4.2", "latest"]),
    ],
)
def test_match_rules_take_a_part_of_the_git_tag(ref: str, rule: str, expected: list[str]) -> None:
    assert tags(ref, [rule]) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("type=sha", ["sha-4b1f0c9"]),
        ("type=sha,format=long", [f"sha-{SHA}"]),
        ("type=sha,prefix=", ["4b1f0c9"]),
        ("type=sha,prefix={{branch}}-,suffix=-{{date 'YYYYMMDD'}}", ["main-4b1f0c9-20261120"]),
        ("type=raw,value=stable", ["stable"]),
        ("type=raw,stable", ["stable"]),
        ("stable", ["stable"]),
        ("type=raw,value=", []),
        ("type=raw,value=a b+c", ["a-b-c"]),
        ("type=raw,value={{tag}}none", ["none"]),
        ("type=raw,value=default,enable={{is_default_branch}}", ["default"]),
        ("type=raw,value=x,enable=false", []),
        ("type=raw,value={{commit_date 'YYYY.MM.DD' tz='Asia/Shanghai'}}", ["2026.03.08"]),
        ("type=raw,value={{date 'dddd, MMMM Do YYYY, h:mm:ss a'}}", ["h-mm-ss-a-"]),  # unquoted commas end a field
        ('"type=raw","value={{date \'dddd, MMMM Do YYYY, h:mm:ss a\'}}"', ["Friday-November-20th-2026-11-30-15-pm"]),
        ("type=edge", ["edge"]),
        ("type=edge,branch=dev", []),
        ("type=ref,event=tag", []),
        ("type=schedule", []),
    ],
)
def test_rules_on_a_push_to_the_default_branch(rule: str, expected: list[str]) -> None:
    assert tags("refs/heads/main", [rule]) == expected


def test_a_schedule_pattern_knows_dates_in_a_zone() -> None:
    rule = "type=schedule,pattern={{date 'YYYYMMDD-HHmm' tz='Asia/Shanghai'}}"
    assert tags("refs/heads/main", [rule], event="schedule") == ["20261121-0730"]


def test_base_ref_is_the_target_of_a_pull_request_and_empty_on_a_branch() -> None:
    rule = "type=raw,value=to-{{base_ref}}"
    assert tags("refs/pull/9/merge", [rule], event="pull_request", base_ref="release") == ["to-release"]
    assert tags("refs/heads/main", [rule], base_ref="release") == ["to-"]


def test_tags_come_by_priority_and_the_first_is_the_version() -> None:
    rules = ["type=sha", "type=raw,value=x", "type=ref,event=branch", "type=edge", "type=sha,format=long,priority=5000"]
    found = metadata(rules, [], CONTEXT, NOW)
    assert found.tags == (f"sha-{SHA}", "edge", "main", "x", "sha-4b1f0c9")
    assert found.version == f"sha-{SHA}"


def test_equal_tags_appear_once() -> None:
    assert tags("refs/heads/main", ["type=ref,event=branch", "main", "type=raw,value=main"]) == ["main"]


@pytest.mark.parametrize(
    ("flavor", "rules", "expected"),
    [
        (["latest=false"], ["type=semver,pattern={{version}}"], ["1.4.2"]),
        (["latest=true"], ["type=sha"], ["sha-4b1f0c9", "latest"]),
        (["latest=auto"], ["type=sha,priority=901", "type=semver,pattern={{version}}"], ["sha-4b1f0c9", "1.4.2"]),
        (["prefix=cpu-"], ["type=semver,pattern={{version}}"], ["cpu-1.4.2", "latest"]),
        (["prefix=cpu-,onlatest=true"], ["type=semver,pattern={{version}}"], ["cpu-1.4.2", "cpu-latest"]),
        (["suffix=-slim,onlatest=true"], ["type=semver,pattern={{version}},suffix="], ["1.4.2", "latest-slim"]),
        (["prefix=cpu-"], ["type=sha"], ["sha-4b1f0c9"]),
        (["latest=true", "latest=false"], ["type=semver,pattern={{version}}"], ["1.4.2"]),
    ],
)
def test_flavor_decides_about_latest_prefix_and_suffix(
    flavor: list[str], rules: list[str], expected: list[str]
) -> None:
    assert tags("refs/tags/v1.4.2", rules, flavor) == expected


@pytest.mark.parametrize(
    ("rules", "flavor", "part"),
    [
        (["type=semvre,pattern={{version}}"], [], "did you mean 'semver'"),
        (["type=semver"], [], "needs pattern="),
        (["type=ref"], [], "needs event="),
        (["type=ref,event=push"], [], "not one of branch, tag, pr"),
        (["type=sha,format=medium"], [], "not one of short, long"),
        (["type=raw"], [], "needs value="),
        (["type=raw,value=x,enable=${{ github.x }}"], [], "enable"),
        (["type=raw,value=x,enable=yes"], [], "not true or false"),
        (["type=raw,value=x,priority=high"], [], "not a number"),
        (["type=match,pattern=v(.*),group=first"], [], "not a number"),
        (["type=match,pattern=v(,value=v1"], [], "no regular expression"),
        (['type=raw,va"lue'], [], "quote"),
        (["type=raw,value={{date 'YYYY' tz='Mars/Base'}}"], [], "no time zone 'Mars/Base'"),
        (["type=raw,value={{date}}"], [], "takes one format"),
        (["type=raw,value={{brnch 1}}"], [], "no helper 'brnch'"),
        (["type=raw,value={{branch"], [], "cannot be read"),
        ([], ["latest=maybe"], "not one of auto, true, false"),
        ([], ["lastest=true"], "did you mean 'latest'"),
        ([], ["prefix"], "prefix"),
    ],
)
def test_rules_that_the_action_refuses_are_refused(rules: list[str], flavor: list[str], part: str) -> None:
    with pytest.raises(TagRuleError) as refused:
        tags("refs/heads/main", rules, flavor)
    assert part in str(refused.value)


def test_a_rule_that_makes_no_tag_says_why() -> None:
    context = replace(CONTEXT, ref="refs/tags/release-7")
    found = metadata(["type=semver,pattern={{version}}", "type=sha,formt=long"], [], context, NOW)
    assert "'release-7' is not a semantic version" in found.notes[0]
    assert "'formt' means nothing here; did you mean 'format'?" in found.notes[1]


def test_a_block_pasted_from_a_workflow_is_split_into_rules() -> None:
    block = """
      # short and long
      type=sha
      type=raw,value={{date 'YYYY'}}   # the year

      type=ref,event=branch
    """
    assert lines(block) == ["type=sha", "type=raw,value={{date 'YYYY'}}", "type=ref,event=branch"]


def test_references_repeat_the_tags_for_every_enabled_image() -> None:
    images = ["name=Registry.example.com/Geo/MGeo", "name=other/mgeo,enable=false", "mgeo"]
    found = metadata(["type=edge", "type=sha"], [], CONTEXT, NOW, images=images)
    assert found.references == (
        "registry.example.com/geo/mgeo:edge",
        "registry.example.com/geo/mgeo:sha-4b1f0c9",
        "mgeo:edge",
        "mgeo:sha-4b1f0c9",
    )


def recorded() -> list[dict[str, Any]]:
    return list(json.loads(RECORDED.read_text(encoding="utf-8")))


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case["context"]["ref"] or "no ref")
def test_tags_equal_those_recorded_from_the_action(case: dict[str, Any]) -> None:
    times = {"commit_time": datetime.fromisoformat(case["context"]["commit_time"])}
    context, now = GitContext(**{**case["context"], **times}), datetime.fromisoformat(case["now"])
    if case["tags"] is None:
        with pytest.raises(TagRuleError):
            evaluate(parse_rules(case["rules"]), parse_flavor(case["flavor"]), context, now)
        return
    flavor = parse_flavor(case["flavor"])
    outcome = evaluate(parse_rules(case["rules"]), flavor, context, now)
    made = [candidate.tag for candidate in outcome.candidates]
    assert made + ([latest_tag(flavor)] if made and outcome.latest else []) == case["tags"]

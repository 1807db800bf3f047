from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import UserError
from slipway.plan import inputs_key, plan_builds
from slipway.service.model import Service
from tests.unit.values import REVISION, TOY, build_plan, checkout


def renamed(name: str) -> Service:
    return TOY.model_copy(update={"name": name, "folder": f"docker/{name}", "paths": (f"docker/{name}/**",)})


TWO = (renamed("geo"), renamed("toy"))


def test_without_a_comparison_every_service_is_built_in_its_default_flavour() -> None:
    plan = plan_builds(TWO, checkout(), None)
    assert [(build.service.name, build.flavour) for build in plan.builds] == [("geo", "cpu"), ("toy", "cpu")]
    assert not plan.is_empty


def test_only_what_a_change_concerns_is_built_and_the_plan_says_why() -> None:
    plan = plan_builds(TWO, checkout(), ["docs/x.md", "docker/geo/server.py"])
    assert [build.service.name for build in plan.builds] == ["geo"]
    assert plan.reason == f"geo (cpu) at {REVISION[:12]}: docker/geo/server.py matches docker/geo/**"


def test_a_change_that_concerns_no_service_ends_with_a_count() -> None:
    plan = plan_builds(TWO, checkout(), ["docs/a.md", "docs/b.md"])
    assert plan.is_empty
    assert plan.reason == "nothing to build: 2 changed paths, none of which a service ships"


def test_a_revision_without_services_is_called_that() -> None:
    assert "no docker/<name>/service.yaml" in plan_builds((), checkout(), None).reason


def test_asking_for_one_service_leaves_the_others_alone() -> None:
    assert [build.service.name for build in plan_builds(TWO, checkout(), None, only="toy").builds] == ["toy"]


def test_an_unchanged_service_is_not_built_even_when_it_is_asked_for() -> None:
    assert plan_builds(TWO, checkout(), ["docker/geo/x"], only="toy").is_empty


def test_an_unknown_service_lists_the_known_ones() -> None:
    with pytest.raises(UserError) as wrong:
        plan_builds(TWO, checkout(), None, only="mego")
    assert "'mego'" in wrong.value.what
    assert "geo, toy" in wrong.value.next_step


def test_an_unknown_flavour_lists_the_known_ones() -> None:
    with pytest.raises(UserError) as wrong:
        plan_builds(TWO, checkout(), None, flavour="gpu")
    assert wrong.value.next_step == "choose one of: cpu"


@pytest.mark.parametrize(
    ("changes", "ref"),
    [
        ({}, "refs/heads/main"),
        ({"branch": "feature/x"}, "refs/heads/feature/x"),
        ({"branch": "", "tag": "v1.2.3", "ref": "v1.2.3", "ref_kind": "tag"}, "refs/tags/v1.2.3"),
        ({"branch": "", "ref": "refs/pull/7/merge", "ref_kind": "sha"}, "refs/pull/7/merge"),
        ({"branch": "", "ref": REVISION, "ref_kind": "sha"}, ""),
    ],
)
def test_tag_rules_see_the_ref_as_a_workflow_would(changes: dict[str, str], ref: str) -> None:
    assert build_plan(**changes).git_context.ref == ref


def test_a_bare_commit_gets_no_branch_tag() -> None:
    from slipway.metadata import metadata

    plan = build_plan(branch="", ref=REVISION, ref_kind="sha")
    found = metadata(TOY.tags, TOY.flavor, plan.git_context, plan.checkout.committed_at)
    assert found.tags == (f"sha-{REVISION[:7]}",)


@given(inputs=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5))
def test_the_key_does_not_depend_on_the_order_of_the_inputs(inputs: dict[str, str]) -> None:
    turned = dict(reversed(list(inputs.items())))
    assert inputs_key(build_plan(), inputs) == inputs_key(build_plan(), turned)


def test_the_key_changes_with_the_revision_the_ref_and_each_input() -> None:
    inputs = {"base": "a", "wheels": "b"}
    keys = {
        inputs_key(build_plan(), inputs),
        inputs_key(build_plan(revision="cd" * 20), inputs),
        inputs_key(build_plan(branch="next"), inputs),
        inputs_key(build_plan(), inputs | {"wheels": "c"}),
        inputs_key(build_plan(), {"base": "ab", "wheels": ""}),
    }
    assert len(keys) == 5

"""The doctor answers in time, whatever the things it looks at do."""

import threading

from slipway.errors import EngineUnavailable
from slipway.host.doctor import Finding, take_all
from slipway.host.install import install_command, is_debian_family


def fine() -> Finding:
    return Finding("git", True, "2.39")


def silent() -> Finding:
    raise EngineUnavailable("the engine does not answer", next_step="start it")


def broken() -> Finding:
    raise ZeroDivisionError("a bug")


def test_a_failing_check_is_a_finding_with_its_next_step() -> None:
    found = take_all({"git": fine, "Docker Engine": silent, "GPU": broken})
    assert [one.name for one in found] == ["git", "Docker Engine", "GPU"]
    assert [one.ok for one in found] == [True, False, False]
    assert (found[1].detail, found[1].mend, found[1].required) == ("the engine does not answer", "start it", True)
    assert "ZeroDivisionError" in found[2].detail
    assert not found[2].required


def test_a_check_that_hangs_is_named_and_keeps_nobody_waiting() -> None:
    never = threading.Event()

    def hang() -> Finding:
        never.wait()
        return fine()

    try:
        found = take_all({"package index": hang, "git": fine}, deadline_s=0.2)
    finally:
        never.set()
    assert not found[0].ok
    assert "no answer" in found[0].detail
    assert found[1].ok


def test_debian_and_its_family_are_told_from_the_rest() -> None:
    assert is_debian_family({"ID": "debian"})
    assert is_debian_family({"ID": "ubuntu", "ID_LIKE": "debian"})
    assert is_debian_family({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"})
    assert not is_debian_family({"ID": "fedora", "ID_LIKE": "rhel centos"})
    assert not is_debian_family({})


def test_the_command_people_are_told_asks_no_questions() -> None:
    assert install_command(["buildah", "runc"]) == "apt-get install --yes --no-install-recommends buildah runc"

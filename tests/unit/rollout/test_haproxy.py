from __future__ import annotations

import pytest

from slipway.errors import RouterUnavailable
from slipway.rollout.blue_green import Slot
from slipway.rollout.haproxy import LIVE_PORT, PREVIEW_PORT, configuration, observed_weights

HOSTS = {Slot.BLUE: "slipway-local-toy-blue", Slot.GREEN: "slipway-local-toy-green"}

# As HAProxy 2.6 prints it, cut after the columns that matter.
STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight
4 live 1 blue 172.18.0.3 2 0 100 0
4 live 2 green 172.18.0.4 2 0 0 0

"""


def section(text: str, name: str) -> list[str]:
    """The indented lines of one section."""
    lines = text.splitlines()
    start = lines.index(name) + 1
    end = next((at for at in range(start, len(lines)) if not lines[at].startswith(" ")), len(lines))
    return [line.strip() for line in lines[start:end]]


def test_live_and_preview_have_addresses_of_their_own() -> None:
    text = configuration(9000, HOSTS, "/router")
    assert section(text, "frontend live") == [f"bind :{LIVE_PORT}", "default_backend live"]
    assert section(text, "frontend preview") == [f"bind :{PREVIEW_PORT}", "default_backend preview"]


def test_every_slot_is_known_by_name_and_starts_without_traffic() -> None:
    for backend, start in (("live", "weight 0"), ("preview", "disabled")):
        lines = section(configuration(9000, HOSTS, "/router"), f"backend {backend}")
        assert [line.split()[:3] for line in lines] == [
            ["server", "blue", "slipway-local-toy-blue:9000"],
            ["server", "green", "slipway-local-toy-green:9000"],
        ]
        assert all(line.endswith(start) for line in lines)


def test_the_runtime_socket_and_the_saved_state_are_in_the_routers_folder() -> None:
    lines = section(configuration(9000, HOSTS, "/router"), "global")
    assert lines == ["stats socket /router/admin.sock mode 600 level admin", "server-state-file /router/servers"]


def test_the_routers_word_on_the_weights_is_read_by_column_name() -> None:
    assert observed_weights(STATE) == {Slot.BLUE: 100, Slot.GREEN: 0}


@pytest.mark.parametrize(
    "answer", ["", "Can't find backend.\n", "1\n", STATE.replace("blue", "red"), "1\n# a b\n1 2\n"]
)
def test_an_answer_that_says_nothing_of_the_slots_is_an_unavailable_router(answer: str) -> None:
    with pytest.raises(RouterUnavailable) as unreadable:
        observed_weights(answer)
    assert unreadable.value.tail == answer[:500]

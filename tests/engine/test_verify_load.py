"""The load client against a server that behaves and misbehaves; its HTTP is spoken by hand to control every byte."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from slipway.errors import DeadlineExceeded, UserError
from slipway.verify.http1 import Target
from slipway.verify.load import measure, measure_in_rounds
from slipway.verify.watch import LoadGenerator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
CHUNKED_BARE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
UNTIL_EOF = b"HTTP/1.1 200 OK\r\n\r\nas long as it takes"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok"
GARBAGE = b"220 smtp.example.com ready\r\n\r\n"

Answer = Callable[[int, bytes], bytes | None]


class Server:
    """Answers each request with what `answer(number, request)` gives, then hangs up if those bytes imply it."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.requests, self.connections = answer, list[bytes](), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            while request := read_request(stream):
                self.requests.append(request)
                reply = self.answer(len(self.requests), request)
                if reply is None:
                    time.sleep(60)
                    return
                peer.sendall(reply)
                if reply in (CLOSING, UNTIL_EOF, CUT, GARBAGE) or b"Connection: close" in request:
                    return


def read_request(stream: object) -> bytes:
    head, length = b"", 0
    while line := stream.readline():  # type: ignore[attr-defined]
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            return bytes(head + stream.read(length))  # type: ignore[attr-defined]
    return b""


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.listener.close()


@pytest.mark.parametrize("reply", [OK, CHUNKED, CHUNKED_BARE, NO_CONTENT, CLOSING, UNTIL_EOF])
def test_every_way_to_end_an_answer_is_understood(reply: bytes) -> None:
    with serving(lambda _n, _r: reply) as server:
        found = measure(server.url, "/x", [], concurrency=2, samples=20, deadline_s=20, warmup=0)
    assert (len(found.latencies_s), found.failures, found.errors) == (20, 0, ())


@pytest.mark.parametrize(
    ("reply", "connections"), [(OK, 1), (CHUNKED, 1), (NO_CONTENT, 1), (CLOSING, 10), (UNTIL_EOF, 10)]
)
def test_a_connection_is_used_again_when_the_server_lets_it(reply: bytes, connections: int) -> None:
    with serving(lambda _n, _r: reply) as server:
        measure(server.url, "/x", [], concurrency=1, samples=10, deadline_s=20, warmup=0)
        assert server.connections == connections


@pytest.mark.parametrize(
    ("reply", "why"),
    [(BUSY, "status 503"), (CUT, "broke off"), (GARBAGE, "not HTTP"), (b"HTTP/1.1 x\r\n\r\n", "broke off")],
)
def test_anything_but_a_whole_success_is_a_failure_and_no_latency(reply: bytes, why: str) -> None:
    with serving(lambda n, _r: OK if n % 2 else reply) as server:
        found = measure(server.url, "/x", [], concurrency=1, samples=10, deadline_s=20, warmup=0)
    assert (len(found.latencies_s), found.failures) == (5, 5)
    assert why in found.errors[0]


def test_warm_up_is_sent_and_not_counted() -> None:
    with serving(lambda n, _r: BUSY if n <= 7 else OK) as server:
        found = measure(server.url, "/x", [], concurrency=1, samples=5, deadline_s=20, warmup=7)
        assert len(server.requests) == 12
    assert (len(found.latencies_s), found.failures) == (5, 0)


def test_payloads_are_sent_in_turn_as_utf8_json() -> None:
    with serving(lambda _n, _r: OK) as server:
        measure(
            server.url, "/similarity", [{"a": "北京市"}, {"a": "2"}], concurrency=1, samples=4, deadline_s=20, warmup=0
        )
    first, second, *rest = [request.partition(b"\r\n\r\n") for request in server.requests]
    assert first[0].startswith(b"POST /similarity HTTP/1.1\r\n")
    assert first[2].decode() == '{"a": "北京市"}'
    assert [body for _, _, body in rest] == [first[2], second[2]]


def test_a_dead_service_ends_the_measurement_at_once_with_the_reason() -> None:
    with serving(lambda _n, _r: OK) as server:
        url = server.url
    found = measure(url, "/x", [], concurrency=2, samples=10, deadline_s=20)
    assert (found.latencies_s, found.failures) == ((), 10)
    assert "refused" in found.errors[0].lower()


def test_a_hanging_service_is_left_at_the_deadline_with_what_was_measured() -> None:
    with serving(lambda n, _r: OK if n <= 5 else None) as server:
        found = measure(server.url, "/x", [], concurrency=1, samples=10, deadline_s=1, warmup=0)
    assert len(found.latencies_s) == 5
    assert found.errors == ("stopped at the deadline",)


def test_rounds_take_turns_between_concurrencies() -> None:
    with serving(lambda _n, _r: OK) as server:
        one, four = measure_in_rounds(server.url, "/x", [], concurrencies=(1, 4), samples=50, rounds=5, deadline_s=20)
    assert (one.concurrency, four.concurrency) == (1, 4)
    assert [len(found) for found in one.rounds] == [10] * 5
    assert len(four.latencies_s) == 50


@pytest.mark.parametrize("keep_alive", [True, False])
def test_steady_load_on_a_sound_service_is_clean(keep_alive: bool) -> None:
    with serving(lambda _n, _r: OK) as server:
        with LoadGenerator(server.url, "/x", rate_per_s=200, keep_alive=keep_alive) as load:
            load.wait_for_more(50)
        report = load.report
        assert report.is_clean
        assert report.answered == len(server.requests) >= 50
        assert (server.connections == report.answered) != keep_alive


def test_every_failed_request_is_counted_once_and_none_is_tried_again() -> None:
    with serving(lambda n, _r: BUSY if n in (10, 20) else CUT if n == 30 else OK) as server:
        with LoadGenerator(server.url, "/x", rate_per_s=200) as load:
            load.wait_for_more(40)
        report = load.report
        assert not report.is_clean
        assert report.failed == 3
        assert report.answered + report.failed == len(server.requests)
    assert [error[:10] for error in report.errors] == ["status 503", "status 503", "BrokenAnsw"]


def test_a_service_that_goes_away_shows_as_failures() -> None:
    with (
        serving(lambda _n, _r: OK) as server,
        LoadGenerator(server.url, "/x", rate_per_s=100, keep_alive=False) as load,
    ):
        load.wait_for_more(10)
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        load.wait_for_more(10)
    assert load.report.failed > 0


def test_a_pause_of_the_service_shows_in_the_slowest_request() -> None:
    def answer(number: int, _request: bytes) -> bytes:
        time.sleep(0.5 if number == 10 else 0)
        return OK

    with serving(answer) as server, LoadGenerator(server.url, "/x", rate_per_s=100) as load:
        load.wait_for_more(80)
    assert load.report.is_clean
    assert load.report.slowest_s >= 0.5


def test_no_answer_in_time_is_a_failure() -> None:
    with (
        serving(lambda n, _r: None if n == 3 else OK) as server,
        LoadGenerator(server.url, "/x", rate_per_s=50, deadline_s=0.5) as load,
    ):
        load.wait_for_more(40)
    assert (load.report.failed, load.report.errors) == (1, ("no answer within 0.5 s",))


def test_waiting_for_a_load_that_does_not_run_ends_with_an_error() -> None:
    with pytest.raises(DeadlineExceeded, match="load generator"):
        LoadGenerator("http://127.0.0.1:9", "/x").wait_for_more(1, deadline_s=5)


def test_a_load_that_never_got_an_answer_is_not_clean() -> None:
    assert not LoadGenerator("http://127.0.0.1:9", "/x").report.is_clean


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://"])
def test_what_is_no_service_url_is_the_users_mistake(url: str) -> None:
    with pytest.raises(UserError, match="no service URL"):
        Target.of(url, "/x")

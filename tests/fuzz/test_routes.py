"""Every route of the engine server and of `serve --http` with generated requests: no internal error, and no request without an answer."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tests.fuzz.routes import ENGINE_ROUTES, HOST, HTTP_ROUTES, RAW, Sent, check, fuzz
from tests.fuzz.servers import engine_server, http_server

pytestmark = pytest.mark.slow
REQUESTS = 80
"""To each server; `python bench/fuzz.py routes 10000` is the long form."""
SERVERS = {"engine": (engine_server, ENGINE_ROUTES), "http": (http_server, HTTP_ROUTES)}
OWN = (b"origin", f"http://{HOST}".encode())


@pytest.fixture(scope="module", params=SERVERS)
def served(request, tmp_path_factory):
    """The function that asks a server, and its routes."""
    server, routes = SERVERS[request.param]
    with server(tmp_path_factory.mktemp("served")) as ask:
        yield ask, routes


def test_every_route_answers_generated_requests(served):
    ask, routes = served
    found = fuzz(routes, REQUESTS, None, ask)
    assert not found, found


def test_every_route_answers_bodies_that_are_odd(served):
    ask, routes = served
    writing = [route.replace("{}", "none") for route in routes if not route.startswith("GET")]
    for route, body in random.Random(0).sample(list(product(writing, RAW)), REQUESTS):
        sent = Sent(*route.split(" ", 1), headers=[OWN], body=body)
        check(sent, ask(sent))


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    with http_server(tmp_path_factory.mktemp("http")) as opened:
        yield opened


def test_a_login_that_is_nested_too_deep_is_answered(tmp_path):
    with http_server(tmp_path, token="secret") as ask:
        assert ask(Sent("POST", "/gallery/session", headers=[OWN], body=b"[" * 4000)).status == 401


@pytest.mark.parametrize("length", ["²", "٣", "9" * 5000, "-1", "1.5", ""])
def test_an_upload_whose_length_is_no_number_is_answered(ask, length):
    header = (b"content-length", length.encode("utf-8"))
    assert ask(Sent("POST", "/uploads", headers=[OWN, header], body=b"RIFF")).status in (413, 422)

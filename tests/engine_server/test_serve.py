"""How the engine server listens."""

from __future__ import annotations

import socket
from contextlib import closing

from acestep_mcp.engine_server.serve import Place, listening


def test_whoever_is_accepted_is_sent_the_end_of_an_answer_without_waiting_for_its_acknowledgement(tmp_path):
    place = Place("127.0.0.1", 0, tmp_path)
    with closing(listening(place)) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

"""The starter of local Valkey servers: a port of one's own, the same one again, and nothing left behind."""

import socket

import pytest
from deploy.local.valkey import Valkey


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def test_it_runs_is_killed_comes_back_on_its_port_and_leaves_nothing():
    server = Valkey()
    folder = server._folder
    with server:
        assert answers(server.port)
        port, pid = server.port, server.pid
        server.kill()
        with pytest.raises(RuntimeError, match="does not run"):
            _ = server.pid
        assert not answers(port)
        server.start()
        assert (server.port, server.pid != pid) == (port, True)
        assert answers(port)
        assert server.url == f"redis://127.0.0.1:{port}/0"
    assert not answers(port)
    assert not folder.exists()


def test_a_port_that_somebody_was_quicker_to_take_is_given_up():
    with Valkey() as first:
        server = Valkey()
        server.port = first.port
        with server:
            assert server.port != first.port
            assert answers(server.port)


def test_a_port_that_was_asked_for_is_kept_or_refused(tmp_path):
    with Valkey() as first:
        second = Valkey(port=first.port, folder=tmp_path / "second")
        with pytest.raises(RuntimeError, match="in use"):
            second.start()
        with pytest.raises(RuntimeError, match="does not run"):
            _ = second.pid
        assert answers(first.port)
    assert (tmp_path / "second").exists()

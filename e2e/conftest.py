"""Fixtures: one shared server, and servers of one's own."""

import pytest

from clew import Clew


@pytest.fixture(scope="session")
def clew(tmp_path_factory):
    server = Clew(tmp_path_factory.mktemp("shared") / "data").start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def own_clew(tmp_path):
    """Makes servers that are stopped at the end of the test."""
    servers = []

    def make(name="data", **options):
        servers.append(Clew(tmp_path / name, **options))
        return servers[-1]

    yield make
    for server in servers:
        if server.process and server.process.poll() is None:
            server.kill()

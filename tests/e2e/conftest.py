"""Fixtures: a place and a server for each test file, and makers for the tests that need their own."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import Place, Server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Server]:
    running = Server(place)
    yield running
    running.stop()


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[..., Place]:
    made: list[Place] = []

    def make(**options: Any) -> Place:
        root = tmp_path / f"place-{len(made)}"
        made.append(Place(root, **options))
        return made[-1]

    return make


@pytest.fixture
def make_server(make_place: Callable[..., Place]) -> Iterator[Callable[..., Server]]:
    """Starts servers with options of their own; they are stopped, and looked at, after the test."""
    made: list[Server] = []

    def make(*options: str, place: Place | None = None, **more: Any) -> Server:
        made.append(Server(place or make_place(), *options, **more))
        return made[-1]

    yield make
    failures = []
    for server in made:
        try:
            server.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, failures

"""The databases, one after another."""

from __future__ import annotations

import pytest

from tests.models.export.databases import DuckDB, Postgres, SQLite


@pytest.fixture(scope="session")
def postgres():
    """PostgreSQL; the tests that need it are skipped where it cannot run."""
    try:
        server = Postgres()
    except OSError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    yield server
    server.stop()


@pytest.fixture(params=["duckdb", "sqlite", "postgres"])
def database(request):
    """A database that runs SQL."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    return {"duckdb": DuckDB, "sqlite": SQLite}[request.param]()

"""Databases that run the SQL of a model: DuckDB, SQLite, and a PostgreSQL of the tests' own."""

from __future__ import annotations

import math
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa

TYPES = {float: "DOUBLE PRECISION", int: "BIGINT", str: "TEXT", bool: "BOOLEAN"}
# How PostgreSQL writes special characters, and a null.
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def creation(name, columns):
    """The command that makes a table for these columns."""
    fields = []
    for column, values in columns.items():
        kind = next((type(value) for value in values if value is not None), float)
        fields.append(f"{quoted(column)} {TYPES[kind]}")
    return f"CREATE TABLE {quoted(name)} ({', '.join(fields)})"


class DuckDB:
    """DuckDB in memory."""

    dialect = "duckdb"

    def rows(self, query, columns, name="t"):
        """The rows of a query of a table with these columns."""
        with duckdb.connect() as connection:
            connection.execute(creation(name, columns))
            connection.register("given", pa.table(columns))
            connection.execute(f"INSERT INTO {quoted(name)} SELECT * FROM given")
            return connection.execute(query).fetchall()

    def after(self, commands, query):
        """The rows of a query after other commands."""
        with duckdb.connect() as connection:
            for command in commands:
                connection.execute(command)
            return connection.execute(query).fetchall()


class SQLite:
    """SQLite in memory."""

    dialect = "sqlite"

    def rows(self, query, columns, name="t"):
        """The rows of a query of a table with these columns."""
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute(creation(name, columns))
            marks = ", ".join("?" * len(columns))
            rows = zip(*columns.values(), strict=True)
            connection.executemany(f"INSERT INTO {quoted(name)} VALUES ({marks})", rows)
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def after(self, commands, query):
        """The rows of a query after other commands."""
        connection = sqlite3.connect(":memory:")
        try:
            connection.executescript("\n".join(commands))
            return connection.execute(query).fetchall()
        finally:
            connection.close()


class Postgres:
    """A PostgreSQL that only this process uses, through a socket in its own folder."""

    dialect = "postgres"

    def __init__(self):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise OSError("PostgreSQL is not installed")
        self.programs = found[-1].parent
        # The server refuses to run as root; Debian's package has a user for it.
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = tempfile.mkdtemp(prefix="fastlogit-postgres-")
        if self.user:
            shutil.chown(self.folder, self.user)
        self.data = f"{self.folder}/data"
        try:
            access = ["--auth=trust", "--username=fastlogit"]
            text = ["--encoding=UTF8", "--no-locale"]
            self.run("initdb", "-D", self.data, "--no-sync", *access, *text)
            options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
            self.run(
                "pg_ctl", "-D", self.data, "-w", "-l", f"{self.data}/log", "-o", options, "start"
            )
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def run(self, program, *arguments, given=""):
        """Output of a program; its last line of errors is an OSError."""
        command = [self.programs / program, *arguments]
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            encoding="utf-8",
            cwd=self.folder,
            user=self.user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PGCLIENTENCODING": "UTF8"},
            check=False,
        )
        if done.returncode:
            raise OSError(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def rows(self, query, columns, name="t"):
        """The rows of a query of a table with these columns; all values but null are texts."""
        rows = ("\t".join(map(written, row)) for row in zip(*columns.values(), strict=True))
        copy = [f"COPY {quoted(name)} FROM STDIN;", *rows, "\\."]
        return self.after([f"{creation(name, columns)};", *copy], query)

    def after(self, commands, query):
        """The rows of a query after other commands."""
        commands = ["BEGIN;", *commands, f"COPY ({query}) TO STDOUT;", "ROLLBACK;"]
        access = ["-h", self.folder, "-U", "fastlogit", "-d", "postgres"]
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        output = self.run("psql", *access, *options, given="\n".join(commands) + "\n")
        lines = output.removesuffix("\n").split("\n")
        return [tuple(map(read, line.split("\t"))) for line in lines]


def written(value):
    """A value as PostgreSQL's COPY reads it."""
    if value is None:
        return "\\N"
    return re.sub(r"[\\\t\n\r]", lambda found: ESCAPES[found[0]], str(value))


def read(text):
    """A value that COPY wrote: a text or None."""
    characters = {value: key for key, value in ESCAPES.items()}
    return None if text == "\\N" else re.sub(r"\\.", lambda found: characters[found[0]], text)


def numbers(rows):
    """Rows of numbers, in any database: floats, and NaN for NULL."""
    return [[math.nan if value is None else float(value) for value in row] for row in rows]

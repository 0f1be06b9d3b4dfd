"""Benchmarks: ``pytest bench`` runs those of single calls, ``python -m bench COMMAND`` the others.

The commands are listed in `bench.commands`; what is compared is in `bench.implementations`.
"""

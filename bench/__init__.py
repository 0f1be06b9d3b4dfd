"""Benchmarks.

``pytest bench`` runs them all, ``python -m bench`` prints the table of the README.
"""

"""Benchmarks.

``pytest bench`` runs them all.  ``python -m bench`` prints the table of the README,
``python -m bench report`` the speed against other libraries and ``python -m bench accuracy`` the
errors of everyone: as Markdown, with the libraries that are installed.
"""

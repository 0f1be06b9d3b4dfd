"""Benchmarks of fastlogit; bench/README.md shows the figures and how to reproduce them.

``pytest bench`` times single calls (``bench_*.py``), and pytest-benchmark stores them.  ``python -m
bench COMMAND`` runs everything else: `commands` lists the modules.  `registry` holds every function
with the libraries that implement it, `measure` times in turns, `results` stores figures, and
`render` makes Markdown of them.  `regression` serves `compare` and `gate`.
"""

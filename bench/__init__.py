"""Benchmarks of fastlogit; bench/README.md shows the results and how to reproduce them.

============================== ====================================================================
``bench_*.py``                 ``pytest bench``: time of single calls, stored by pytest-benchmark
``commands``                   ``python -m bench COMMAND``
``registry/``                  every function and every library that implements it
``data``, ``machine``          arguments of the functions; description of the computer
``measure``                    timing in turns, ratios, goals
``timings``, ``report``,       the stored run of ``pytest bench``, its tables and its pictures
``pictures``
``results``, ``render``,       stored figures, their Markdown, and the page that shows them
``readme``, ``reproduce``
``regression/``, ``compare``,  two revisions side by side
``gate``
``tests/``                     tests against wrong figures
============================== ====================================================================
"""

"""Benchmarks: ``pytest bench`` runs those of single calls, ``python -m bench COMMAND`` the others.

``pytest bench --benchmark-json=FILE`` stores what ``python -m bench report FILE`` reads.  It takes
some twenty minutes on two cores; ``-m quick`` takes three, for a first picture.

The commands are listed in `bench.commands`; what is compared is in `bench.implementations`.
"""

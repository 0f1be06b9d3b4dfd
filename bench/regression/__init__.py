"""Two revisions side by side, each installed in an environment of its own.

`sides` builds them and starts `worker` processes, which time `cases` on request.  `times` lets them
take turns, `verdicts` judges, and `figures` and `exactness` compare everything else.
"""

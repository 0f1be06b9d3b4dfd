"""Two revisions side by side, each installed in an environment of its own.

sides.build ──▶ worker (a process of each side, which times `cases` on request)
                  ▲
times.measure ────┴──▶ verdicts (faster, slower, same or inconclusive)

`figures` and `exactness` compare everything that is not the time of a call.
"""

"""Two revisions side by side, in environments of their own: what `compare` and `gate` run.

sides.build ──▶ worker (a process of each side, which times `cases` when it is told)
                  ▲
times.measure ────┴──▶ verdicts.verdict (what can be said of the ratios)
"""

"""``python -m bench gate``: the working tree against the last tag, or else the stored baseline.

The baseline names a revision.  If git has it, it is built and timed side by side with the working
tree, as `compare` does.  If not, times are compared with the stored ones, both relative to calls of
NumPy that stand for the machine: that is coarser, and needs the same kind of machine.  ``--renew``
measures a revision (HEAD, or ``--head``) and stores it as the baseline; never the working tree,
which nobody could build again.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import compare, machine, results
from bench.commands import parser
from bench.regression import figures, sides
from bench.regression.cases import REFERENCES
from bench.regression.sides import WORKING_TREE, Side, SideError
from bench.regression.times import Timing
from bench.regression.verdicts import Measured, Thresholds

BASELINE = Path(__file__).with_name("baseline.json")
# Of times that were not measured side by side.
_APART = Thresholds(0.3, 300e-9)
_FIELDS = ("revision", "date", "machine", "times", "others")
_NOT_FOR_RENEW = ("quick", "only", "stored", "all", "json")


def main(arguments: Sequence[str] = ()) -> None:
    """Compare; exit with 1 if something is worse, with 2 on failure."""
    command = parser("gate")
    compare.add_options(command)
    command.add_argument("--head", default=WORKING_TREE, help="instead of the working tree")
    command.add_argument("--renew", action="store_true", help="measure a new baseline")
    command.add_argument(
        "--stored", action="store_true", help="use the stored figures even if git has the revision"
    )
    options = command.parse_args(arguments)
    if options.renew and any(getattr(options, name) for name in _NOT_FOR_RENEW):
        command.error(f"--renew stores everything: it takes no --{', --'.join(_NOT_FOR_RENEW)}")
    try:
        if options.renew:
            _renew("HEAD" if options.head == WORKING_TREE else options.head, options)
            return
        base = None if options.stored else _last_tag(options.head)
        if base is None:
            baseline = _baseline()
            base = None if options.stored else sides.identity(baseline["revision"])
            if base is None:
                sys.exit(_compare_with_stored(baseline, options))
        compare.say(f"against {base}")
        sys.exit(compare.report(base, options.head, options))
    except compare.FAILURES as error:
        compare.say(str(error))
        sys.exit(2)


def _last_tag(head: str) -> str | None:
    """The last tag before `head`, and not a tag of `head` itself; None without tags."""
    try:
        revision = "HEAD" if head == WORKING_TREE else sides.resolved(head)
        is_changed = head == WORKING_TREE and sides.git("status", "--porcelain")
        tag = _described(revision)
        if sides.resolved(tag) == sides.resolved(revision) and not is_changed:
            tag = _described(f"{revision}^")
    except SideError:
        return None
    return tag


def _described(revision: str) -> str:
    return sides.git("describe", "--tags", "--abbrev=0", revision).decode().strip()


# The stored baseline ----------------------------------------------------------------------


def _baseline() -> dict[str, Any]:
    try:
        stored: dict[str, Any] = json.loads(BASELINE.read_text())
        missing = [name for name in _FIELDS if name not in stored]
    except (OSError, ValueError, TypeError) as error:
        raise SideError(f"{BASELINE.name}: {error} (--renew makes one)") from error
    if missing:
        raise SideError(f"{BASELINE.name}: without {', '.join(missing)} (--renew makes one)")
    return stored


def _compare_with_stored(baseline: dict[str, Any], options: Namespace) -> int:
    """Compare with the stored figures; return the exit status."""
    compare.say(f"against the figures of {baseline['revision']}, stored on {baseline['date']}")
    before, here = baseline["machine"], machine.describe()
    for what in ("processor", "cores"):
        if before[what] != here[what]:
            raise SideError(
                f"the baseline comes from another kind of machine, {what} {before[what]}; this has "
                f"{here[what]} (--renew makes one of this machine)"
            )
    now = here["versions"] | {"python": here["python"]}
    for name, version in (before["versions"] | {"python": before["python"]}).items():
        if name != "fastlogit" and now.get(name, version) != version:
            compare.say(f"{name} was {version}, is {now[name]}")
    revisions = [baseline["revision"], sides.identity(options.head)]
    with tempfile.TemporaryDirectory(prefix="fastlogit-gate-") as folder:
        found = _measured(baseline, sides.build(options.head, Path(folder, "head")), options)
    title = f"stored {baseline['revision']}"
    return compare.finish(title, options.head, revisions, found, options)


def _measured(baseline: dict[str, Any], side: Side, options: Namespace) -> list[Measured]:
    stored = baseline["times"]
    (cases,) = compare.listed(side)
    known, found = compare.matched(dict.fromkeys(stored, 1), cases, options)
    # The same cases as the baseline compiled, or the compilation could not be compared.
    compiled = figures.compilation(side, cases=known if options.only else stored)
    timings = [
        Timing(case, cases[case], REFERENCES[cases[case]], stored[case]["ratio"], _APART)
        for case in known
    ]
    compare.take_turns(side, side, timings, options)
    found += [timing.measured() for timing in timings]
    if options.only:
        return found
    before = baseline["others"]
    others = [compiled, *compare.all_figures(side, quick=options.quick)]
    for one in others:
        thresholds = one.thresholds
        if one.unit == "s":
            thresholds = Thresholds(_APART.relative, thresholds.absolute)
        values = (before.get(one.what), *one.values)
        found.append(replace(one, values=values, thresholds=thresholds))
    if not options.quick:  # the quick set measures fewer
        gone = before.keys() - {one.what for one in others}
        found += [Measured(what, known="missing") for what in sorted(gone)]
    return found


def _renew(head: str, options: Namespace) -> None:
    revision = sides.resolved(head)
    compare.say(f"measuring {head}, {revision}")
    with tempfile.TemporaryDirectory(prefix="fastlogit-gate-") as folder:
        side = sides.build(revision, Path(folder, "head"))
        (cases,) = compare.listed(side)
        others = [figures.compilation(side, cases=cases)]
        others += compare.all_figures(side, quick=False)
        timings = [
            Timing(case, threads, REFERENCES[threads], thresholds=_APART)
            for case, threads in cases.items()
        ]
        compare.take_turns(side, side, timings, options)
    failed = [f"{timing.case}: {timing.errors[1]}" for timing in timings if any(timing.errors)]
    failed += [f"{one.what}: {one.error}" for one in others if one.error]
    failed += [f"{one.what}: infinite" for one in others if one.values[0] == math.inf]
    if failed:
        raise SideError("\n".join(failed))
    results.write(
        BASELINE,
        {
            "revision": revision,
            "date": results.today(),
            "machine": machine.describe("scipy"),
            "times": {
                timing.case: {"seconds": timing.seconds[1], "ratio": timing.interval.ratio}
                for timing in timings
            },
            "others": {one.what: one.values[0] for one in others},
        },
    )
    compare.say(f"stored in bench/{BASELINE.name}")

"""``python -m bench gate``: the working tree against the last tag, or else the stored baseline.

The baseline names a revision, and where git has that one it is built and timed side by side with
the working tree, as `compare` does.  Where it has not, times are compared with those stored, each
relative to something of NumPy's that was timed in turns with it: that is coarser, and for the same
kind of machine only.  ``--renew`` measures a revision, HEAD or that of ``--head``, and stores it as
the baseline: never the working tree, which nobody could build again.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import compare, machine, results
from bench.commands import parser
from bench.compare import Row
from bench.regression import others, sides
from bench.regression.cases import REFERENCES
from bench.regression.sides import WORKING_TREE, Side, SideError
from bench.regression.times import Timing
from bench.regression.verdicts import Thresholds

BASELINE = Path(__file__).with_name("baseline.json")
# Of times that were not taken side by side.
_APART = Thresholds(0.3, 300e-9)
# What the file has at least.
_STORED = {"revision": str, "date": str, "machine": dict, "times": dict, "others": dict}
_OF_MACHINE = {"processor": str, "cores": int, "python": str, "versions": dict}
_NOT_OF_RENEWING = ("quick", "only", "stored", "all", "json", "markdown")


def main(arguments: Sequence[str] = ()) -> None:
    """Compare; exit with 1 if something is worse, with 2 if that failed."""
    command = parser("gate")
    compare.add_options(command)
    command.add_argument("--head", default=WORKING_TREE, help="instead of the working tree")
    command.add_argument(
        "--renew", action="store_true", help="measure a revision (HEAD), as the new baseline"
    )
    command.add_argument(
        "--stored", action="store_true", help="compare with what is stored, whatever git has"
    )
    options = command.parse_args(arguments)
    if options.renew and any(getattr(options, name) for name in _NOT_OF_RENEWING):
        command.error(f"--renew stores everything: it takes no --{', --'.join(_NOT_OF_RENEWING)}")
    try:
        if options.renew:
            _renew("HEAD" if options.head == WORKING_TREE else options.head, options)
            return
        base = None if options.stored else _tag(options.head)
        if base is None:
            baseline = _baseline()
            base = None if options.stored else _there(baseline["revision"])
            if base is None:
                sys.exit(_against_stored(baseline, options))
        compare.say(f"against {base}")
        sys.exit(compare.report(base, options.head, options))
    except compare.FAILURES as error:
        compare.say(str(error))
        sys.exit(2)


def _baseline() -> dict[str, Any]:
    """What is stored."""
    try:
        stored: dict[str, Any] = json.loads(BASELINE.read_text())
        _must_have(stored, _STORED)
        _must_have(stored["machine"], _OF_MACHINE)
        for case, timing in stored["times"].items():
            _must_have(timing, {"ratio": int | float})
            if not 0 < timing["ratio"] < math.inf:
                raise ValueError(f"the ratio of {case} is {timing['ratio']}")
        _must_have(stored["others"], dict.fromkeys(stored["others"], int | float))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise SideError(f"{BASELINE.name}: {said} (--renew makes one)") from error
    return stored


def _must_have(stored: Any, fields: Mapping[str, Any]) -> None:
    if not isinstance(stored, dict):
        raise ValueError(f"{type(stored).__name__} instead of an object")
    wrong = [name for name, kind in fields.items() if not isinstance(stored.get(name), kind)]
    if wrong:
        raise ValueError(f"without {', '.join(wrong)}")


def _against_stored(baseline: dict[str, Any], options: Namespace) -> int:
    """Compare with what is stored; return the exit status."""
    compare.say(f"against what was stored of {baseline['revision']} on {baseline['date']}")
    _must_be_alike(baseline["machine"], machine.brief())
    for change in _changes(baseline["machine"], machine.brief()):
        compare.say(change)
    revisions = [baseline["revision"], sides.revision_of(options.head)]
    with tempfile.TemporaryDirectory(prefix="fastlogit-gate-") as folder:
        rows = _apart(baseline, sides.build(options.head, Path(folder, "head")), options)
    return compare.finish(f"stored {baseline['revision']}", options.head, revisions, rows, options)


def _tag(head: str) -> str | None:
    """The last tag before what is measured, if there is one; not that of the very same."""
    revision = _there(head) or "HEAD"
    try:
        is_changed = head == WORKING_TREE and sides.git("status", "--porcelain")
        tag = _described(revision)
        if sides.resolved(tag) == sides.resolved(revision) and not is_changed:
            tag = _described(f"{revision}^")
    except SideError:
        return None
    return tag


def _described(revision: str) -> str:
    return sides.git("describe", "--tags", "--abbrev=0", revision).decode().strip()


def _there(revision: str) -> str | None:
    """A revision if git has it."""
    try:
        return sides.resolved(revision)
    except SideError:
        return None


def _must_be_alike(stored: dict[str, Any], here: dict[str, Any]) -> None:
    for what in ("processor", "cores"):
        if stored[what] != here[what]:
            raise SideError(
                f"the baseline is of another kind of machine, {what} {stored[what]}; this has "
                f"{here[what]} (--renew makes one of this machine)"
            )


def _changes(stored: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """What else may be the reason of other times than those stored."""
    before, now = (one["versions"] | {"python": one["python"]} for one in (stored, here))
    return [
        f"{name} was {before[name]}, is {now[name]}"
        for name in before
        if name in now and name != "fastlogit" and before[name] != now[name]
    ]


def _measured(
    side: Side, chosen: dict[str, int], options: Namespace, expected: dict[str, float]
) -> list[Timing]:
    """Time cases beside what stands for the machine; whatever is expected of them."""
    timings = [
        Timing(case, threads, REFERENCES[threads], expected.get(case, 1.0), _APART)
        for case, threads in chosen.items()
    ]
    compare.take_turns(side, side, timings, compare.minutes(options))
    return timings


def _apart(baseline: dict[str, Any], side: Side, options: Namespace) -> list[Row]:
    stored = baseline["times"]
    chosen, _ = compare.chosen(side, side, options.quick, options.only)
    # All that was compiled then, or times could not be compared.
    compiled = list(others.compile_all(side, cases=chosen if options.only else stored))
    before = dict.fromkeys(stored, 1)
    known, apart = compare.matched(before, chosen, options.quick, options.only)
    expected = {case: stored[case]["ratio"] for case in known}
    timed = {case: chosen[case] for case in known}
    rows = [compare.row_of_time(timing) for timing in _measured(side, timed, options, expected)]
    rows += [Row(case, verdict) for case, verdict in apart.items()]
    if options.only:
        return rows
    others_before = baseline["others"]
    measured = [*compiled, *compare.the_rest(side, quick=options.quick)]
    for one in measured:
        values = (others_before.get(one.what), *one.values)
        thresholds = one.thresholds
        if one.unit == "s":
            thresholds = Thresholds(_APART.relative, thresholds.absolute)
        rows.append(compare.row(one._replace(values=values, thresholds=thresholds)))
    if not options.quick:  # which measures fewer
        gone = others_before.keys() - {one.what for one in measured}
        rows += [Row(what, "missing") for what in sorted(gone)]
    return rows


def _renew(head: str, options: Namespace) -> None:
    revision = sides.resolved(head)
    compare.say(f"measuring {head}, {revision}")
    with tempfile.TemporaryDirectory(prefix="fastlogit-gate-") as folder:
        side = sides.build(revision, Path(folder, "head"))
        chosen, _ = compare.chosen(side, side, False, ())
        compiled = others.compile_all(side, cases=chosen)
        rest = [*compiled, *compare.the_rest(side, quick=False)]
        timings = _measured(side, chosen, options, {})
    failed = [f"{timing.case}: {timing.errors[1]}" for timing in timings if any(timing.errors)]
    failed += [f"{one.what}: {one.error}" for one in rest if one.error]
    failed += [f"{one.what}: infinite" for one in rest if one.values[0] == math.inf]
    if failed:
        raise SideError("\n".join(failed))
    results.write(
        BASELINE,
        {
            "revision": revision,
            "date": results.today(),
            "machine": machine.brief(),
            "times": {
                timing.case: {"seconds": timing.seconds[1], "ratio": timing.interval.ratio}
                for timing in timings
            },
            "others": {one.what: one.values[0] for one in rest},
        },
    )
    compare.say(f"stored in bench/{BASELINE.name}")

"""The command ``fastlogit``: its entry points and its exit statuses.

=============  ==================================================================
`train`, ...   a module a command: `add_parser` declares its options, `run` does it
`options`      options that several commands share, each declared once
`parser`       the parser of the whole command line, and shell completion
`report`       notes, warnings, errors and progress on standard error
`wording`      arguments that a message names, rewritten as options
`signals`      an orderly end after Ctrl-C or SIGTERM
=============  ==================================================================

Results go to standard output; messages and the progress bar to standard error.
The parser's epilog lists the exit statuses.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from fastlogit.cli import demo, evaluate, export, plot, report, score, signals, train, warmup
from fastlogit.cli.parser import make_parser
from fastlogit.core import threads

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order of the help.
COMMANDS = (train, score, evaluate, export, plot, demo, warmup)
FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
# Exceptions that a user can cause.  Any other is a defect of fastlogit and shows its traceback.
_USER_ERRORS = (ValueError, TypeError, OSError, MemoryError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own, and return its exit status."""
    args, unknown = make_parser(COMMANDS).parse_known_args(argv)
    if unknown:  # not by `parse_args`, which would show the usage of `fastlogit` alone
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        threads.resolve(args.threads)  # an error of the environment comes before any work
        with signals.ending_in_order():
            args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        if sys.stdout is not None:  # the interpreter would fail at its last flush
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        # Arrow has exceptions of its own, such as ArrowNotImplementedError, for bad input.
        if not isinstance(error, _USER_ERRORS) and not type(error).__module__.startswith("pyarrow"):
            raise
        if args.debug:
            traceback.print_exc()
        report.message("error", report.error_line(error, args.parser))
        return FAILED
    return 0


def run() -> NoReturn:
    """Run the command line of this process, and end the process.

    After an error the process ends without joining its threads: one may be waiting for a pipe.
    """
    if sys.stderr is None:  # print would write to standard output instead
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        status: Any = main()
    except SystemExit as end:
        status = end.code
    if isinstance(status, int) and status != 0:
        with suppress(Exception):  # nobody may be reading
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
    sys.exit(status)

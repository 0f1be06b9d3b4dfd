"""``python -m bench COMMAND``."""

from __future__ import annotations

import signal
import sys
import traceback

from bench.commands import run

if __name__ == "__main__":
    # Exit in the normal way, so that temporary folders and processes are cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        run(sys.argv[1:])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except Exception:  # Python's own exit status 1 means "slower"
        traceback.print_exc()
        sys.exit(2)

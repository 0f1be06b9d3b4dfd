"""``python -m bench COMMAND``."""

from __future__ import annotations

import signal
import sys
import traceback

from bench.commands import run

if __name__ == "__main__":
    # So that what was begun is ended, and its folders go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        run(sys.argv[1:])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except Exception:  # 1, as Python would end, says that something is worse
        traceback.print_exc()
        sys.exit(2)

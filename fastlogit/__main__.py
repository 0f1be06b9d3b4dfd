"""``python -m fastlogit`` is the command ``fastlogit``."""

import sys

from fastlogit.cli import main

if __name__ == "__main__":
    sys.exit(main())

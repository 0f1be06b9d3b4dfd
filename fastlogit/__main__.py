"""``python -m fastlogit`` runs the command ``fastlogit``."""

from fastlogit.cli import run

if __name__ == "__main__":
    run()

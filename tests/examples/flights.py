"""Which flights will be late?  From a raw table to calibrated scores, with pictures.

    pip install '.[cli,plot]' && python -m tests.examples.flights FOLDER

A model is trained on the flights that left New York City from January to August 2013, corrected
with the flights of September, and scores the flights of October.  FOLDER gets the tables, the
models, the scores and four pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import fastlogit as fl
from fastlogit import cli, plot
from fastlogit.data import flights_path
from fastlogit.scoring import evaluate

# Categories that the file stores as columns of 0 and 1; the first of each has no column.
TEXT = {"month": "1", "weekday": "1", "carrier": "9E", "origin": "EWR"}


def raw_table() -> pa.Table:
    """The flights as recorded, with text for months, weekdays, airlines and airports."""
    table = pq.read_table(flights_path())
    for name, first in TEXT.items():
        columns = [column for column in table.column_names if column.startswith(f"{name}_")]
        categories = np.array([first, *(column.removeprefix(f"{name}_") for column in columns)])
        is_first = np.ones(table.num_rows, bool)
        for column in columns:
            is_first &= table[column].to_numpy() == 0
        flags = [is_first, *(table[column].to_numpy() == 1 for column in columns)]
        table = table.drop_columns(columns)
        table = table.append_column(name, pa.array(categories[np.argmax(flags, axis=0)]))
    return table.append_column("flight", pa.array(np.arange(table.num_rows)))


def fastlogit(*words: object) -> None:
    """Run the command line, as a shell would."""
    print(f"\n$ fastlogit {' '.join(str(word) for word in words)}", flush=True)
    if cli.main([str(word) for word in words]) != 0:
        raise SystemExit(1)


def main(folder: Path) -> None:
    """Run the example in a new folder."""
    folder.mkdir(parents=True)

    # 1. Split by the calendar, because a model in use predicts later flights: the past for
    #    training, a month for the correction, and the month to predict.
    flights = raw_table()
    month = flights["month"].to_numpy(zero_copy_only=False).astype(int)
    parts = {"past": month <= 8, "september": month == 9, "october": month == 10}
    for name, rows in parts.items():
        part = flights.filter(pa.array(rows)).drop_columns(["month"])
        pq.write_table(part, folder / f"{name}.parquet")
        late = part["late"].drop_null().to_numpy()
        print(f"{name}: {part.num_rows:,} flights, {late.mean():.1%} of them late")

    # 2. Train.  Text columns get a coefficient for each category, and so do the weekdays (1 to 7)
    #    with `--categorical`.  The number of a flight is ignored; flights that never arrived have
    #    no label and are skipped.
    model_path = folder / "model.json"
    fastlogit(
        "train", folder / "past.parquet", "--label", "late", "--ignore", "flight",
        "--categorical", "weekday", "--missing", "skip", "-o", model_path,
    )  # fmt: skip
    model = fl.load(model_path)

    # 3. Evaluate on flights that it has not seen.  It ranks them well, but predicts too many late
    #    flights, because more were late in spring and summer.
    september, october = folder / "september.parquet", folder / "october.parquet"
    before = evaluate(model, october, "late")
    print(f"\nof October, as it is:\n{before}")

    # 4. Correct it with the month before, by Platt's method: a logistic model whose only feature is
    #    the logit.  Its coefficient stretches all logits, and its intercept shifts them.
    logits, late = scored(model, september)
    platt = fl.fit(logits[:, np.newaxis], late, l2=0.0)
    slope = float(platt.coef[0])
    print(f"\ncorrected logit: {slope:.3f} z {platt.intercept:+.3f}")

    # 5. The result is again a logistic model of the same features, deployed like any other.
    corrected = fl.LogisticModel(
        slope * model.coef,
        slope * model.intercept + platt.intercept,
        model.feature_names,
        categories=model.categories,
    )
    corrected.save(folder / "corrected.json")
    after = evaluate(corrected, october, "late")
    print(
        f"\nlog-loss in October: {before.mean_log_loss:.4f} as it was, "
        f"{after.mean_log_loss:.4f} corrected; "
        f"the AUC depends only on the order and remains {after.auc:.4f}"
    )

    # 6. Score October, and keep the number of each flight.
    fastlogit(
        "score", folder / "corrected.json", october, "-o", folder / "scores.parquet",
        "--keep", "flight", "--output", "probability", "--output", "label",
    )  # fmt: skip

    # 7. Draw the corrected model on October, and the training.
    for name, ax in {
        "reliability": plot.reliability(corrected, october, "late"),
        "roc": plot.roc(corrected, october, "late"),
        "coefficients": plot.coefficients(model),
        "convergence": plot.convergence(model),
    }.items():
        ax.figure.savefig(folder / f"{name}.png", dpi=150)
        plt.close(ax.figure)
    print(f"\nAll files are in {folder}")


def scored(model: fl.LogisticModel, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of the flights in a file that have a label."""
    batches = list(fl.score(model, path, output="logit", keep=["late"]))
    table = pa.Table.from_batches(batches).drop_null()
    return table["logit"].to_numpy(), table["late"].to_numpy()


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        raise SystemExit("usage: python -m tests.examples.flights FOLDER, which is made")
    main(Path(sys.argv[1]))

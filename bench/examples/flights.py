"""Which flights will be late?  From a raw table to calibrated scores, with pictures.

    pip install '.[cli,plot]' && python -m bench.examples.flights FOLDER

A model is trained on the flights that left New York City from January to August 2013, corrected by
those of September, and scores those of October.  FOLDER gets the tables, the models, the scores and
four pictures; what is printed takes a page.
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

# What the file has as columns of 0 and 1, one for each category but the first.
TEXT = {"month": "1", "weekday": "1", "carrier": "9E", "origin": "EWR"}


def raw_table() -> pa.Table:
    """The flights as they are recorded: months, weekdays, airlines and airports are text again."""
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
    """Run the example, in a folder that is made for it."""
    folder.mkdir(parents=True)

    # 1. The past to learn from, the month before to correct by, and the month to predict.  By the
    #    calendar, as later flights are what a model in use would be asked about.
    flights = raw_table()
    month = flights["month"].to_numpy(zero_copy_only=False).astype(int)
    parts = {"past": month <= 8, "september": month == 9, "october": month == 10}
    for name, rows in parts.items():
        part = flights.filter(pa.array(rows)).drop_columns(["month"])
        pq.write_table(part, folder / f"{name}.parquet")
        late = part["late"].drop_null().to_numpy()
        print(f"{name}: {part.num_rows:,} flights, {late.mean():.1%} of them late")

    # 2. Train.  Columns of text have a coefficient for each category, as have weekdays (1 to 7)
    #    with `--categorical`; a number that only names the flight is no feature; flights that never
    #    arrived have no label and are left out.
    model_path = folder / "model.json"
    fastlogit(
        "train", folder / "past.parquet", "--label", "late", "--ignore", "flight",
        "--categorical", "weekday", "--missing", "skip", "-o", model_path,
    )  # fmt: skip
    model = fl.load(model_path)

    # 3. How good is it on flights that it has not seen?  It ranks them, but it expects as many late
    #    flights as in spring and summer, which is too many.
    september, october = folder / "september.parquet", folder / "october.parquet"
    before = evaluate(model, october, "late")
    print(f"\nof October, as it is:\n{before}")

    # 4. Correct it by the month before, by Platt's method: a logistic model whose only feature is
    #    the logit.  Of two coefficients, one shifts all logits, the other stretches them.
    logits, late = scored(model, september)
    platt = fl.fit(logits[:, np.newaxis], late, l2=0.0)
    slope = float(platt.coef[0])
    print(f"\ncorrected logit: {slope:.3f} z {platt.intercept:+.3f}")

    # 5. That is a logistic model of the same features again: nothing new has to be deployed.
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
        f"the AUC, which looks at the order alone, remains {after.auc:.4f}"
    )

    # 6. Scores for October, beside the number of each flight.
    fastlogit(
        "score", folder / "corrected.json", october, "-o", folder / "scores.parquet",
        "--keep", "flight", "--output", "probability", "--output", "label",
    )  # fmt: skip

    # 7. And pictures, of the corrected model on October, and of how the model was trained.
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
    """Logits of the flights of a file that have a label, and the labels."""
    batches = list(fl.score(model, path, output="logit", keep=["late"]))
    table = pa.Table.from_batches(batches).drop_null()
    return table["logit"].to_numpy(), table["late"].to_numpy()


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        raise SystemExit("usage: python -m bench.examples.flights FOLDER, which is made")
    main(Path(sys.argv[1]))

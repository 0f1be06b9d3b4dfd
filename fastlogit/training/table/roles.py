"""The roles of a table's columns in training: features, targets, weight and offsets."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fastlogit.core import checks
from fastlogit.tables.errors import ColumnError
from fastlogit.tables.table import Conflict
from fastlogit.training.table.categories import Reason, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastlogit.tables.table import Columns, Table


class Rule(NamedTuple):
    """The smallest number that a column may hold, and the rule as messages say it."""

    least: float
    text: str


FINITE = Rule(-math.inf, "be finite")
_WEIGHT = Rule(0.0, "be finite and not negative, as it is the weight")
_PROBABILITY = Rule(0.0, "be a probability, as it is a label")


class ColumnRoles(NamedTuple):
    """Positions of a table's columns, by their role."""

    # Features that are numbers, and features that are text.
    numbers: list[int]
    text: list[int]
    # The labels; or several columns, with the probabilities of the classes.
    targets: list[int]
    # All columns of numbers that are no features: weight, offsets, probabilities, in this order.
    measures: list[int]
    # Text features that the caller calls categorical.
    chosen: set[int]
    # The index of a data frame, which is left out.
    index_columns: list[int]
    # Rules for some columns of numbers; `FINITE` holds for all others.
    rules: dict[int, Rule]

    @property
    def order(self) -> list[int]:
        """The columns in the order in which they are read."""
        return [*self.numbers, *self.measures, *self.labels, *self.text]

    @property
    def has_weight(self) -> bool:
        """Whether the first of the measures is the weight."""
        return bool(self.measures) and self.rules[self.measures[0]] == _WEIGHT

    @property
    def offsets(self) -> list[int]:
        """The columns of offsets."""
        shares = len(self.targets) if len(self.targets) > 1 else 0
        return self.measures[self.has_weight : len(self.measures) - shares]

    @property
    def as_stored(self) -> set[int]:
        """The columns that may hold text, which are read as they are stored."""
        return {*self.labels, *self.text}

    @property
    def labels(self) -> list[int]:
        """The column of labels; empty if the targets are probabilities."""
        return self.targets if len(self.targets) == 1 else []


def choose_roles(
    table: Table,
    targets: list[int],
    weight: str | int | None,
    offset: Columns,
    categorical: Sequence[str],
    ignore: Sequence[str],
) -> ColumnRoles:
    """Find the columns that the caller names, make features of all others, and check the types.

    Raises a ValueError if a column has two roles, or a type that does not fit its role.
    """
    labels, shares = (targets, []) if len(targets) == 1 else ([], targets)
    named, rules = dict.fromkeys(labels, "label"), {}
    for argument, positions, rule in (
        ("weight", [] if weight is None else [table.position(weight, "weight")], _WEIGHT),
        ("offset", table.positions(offset, "offset"), FINITE),
        ("label", shares, _PROBABILITY),
    ):
        for position in positions:
            if position in named:
                raise ValueError(
                    f"{table.name}: {argument} must be a column of its own; got "
                    f"{table.describe(position)}, which is the {named[position]}"
                )
            named[position], rules[position] = argument, rule
    chosen = find_columns(table, categorical, "categorical")
    ignored = find_columns(table, ignore, "ignore")
    _must_have_one_role(table, named, chosen, ignored)
    left_out = {*named, *ignored}
    index_columns = [one for one in table.index_columns if one not in left_out | chosen]
    left_out.update(index_columns)
    features = [position for position in range(len(table.dtypes)) if position not in left_out]
    if table.names is not None:
        table.find([table.names[position] for position in features])  # names must be unique
    text = [one for one in features if one in chosen or _is_text(table, one)]
    numbers = sorted(set(features) - set(text))
    _must_be_features(table, numbers)
    table.must_hold_numbers([*numbers, *rules])
    table.must_hold_text(text)
    if not features:
        raise ValueError(f"{table.name}: has no column besides {table.describe(targets[0])}")
    return ColumnRoles(numbers, text, targets, list(rules), chosen, index_columns, rules)


def find_columns(table: Table, names: Sequence[str], argument: str) -> set[int]:
    """Positions of all columns with the names in an argument."""
    names = checks.names(names, argument)
    if names and table.names is None:
        raise ValueError(f"{table.name}: has no names of columns, so that {argument} finds none")
    return {position for found in table.find_all(names) for position in found}


@contextmanager
def adding_remedies(table: Table, roles: ColumnRoles | None) -> Iterator[None]:
    """Add to an error in features the arguments that leave them out or read them as text."""
    try:
        yield
    except ColumnError as error:
        names = table.names or ()
        if roles is None:
            raise
        features = {names[one] for one in (*roles.numbers, *roles.text) if names}
        found = [name for name in error.columns if name in features]
        if not found:
            raise
        it = "it" if len(found) == 1 else "them"
        remedy = f"ignore={found!r} leaves {it} out"
        if error.may_be_text:
            remedy = f"categorical={found!r} takes {it} as text, {remedy}"
        raise ValueError(f"{error} ({remedy})") from None


def _must_have_one_role(
    table: Table, named: dict[int, str], chosen: set[int], ignored: set[int]
) -> None:
    for position in sorted((ignored | chosen) & named.keys() or ignored & chosen):
        argument = "ignore" if position in ignored else "categorical"
        role = f"the {named[position]}" if position in named else "in categorical"
        raise ValueError(
            f"{table.name}: {argument} must name no column of another use; "
            f"{table.describe(position)} is {role}"
        )


def _must_be_features(table: Table, numbers: list[int]) -> None:
    """Raise one error for all columns that are neither numbers nor text."""
    if table.names is None:
        return
    held = {table.names[one]: table.dtypes[one] for one in numbers}
    reasons = {
        name: Reason(f"must hold numbers; it holds {dtype}") if isinstance(dtype, str) else None
        for name, dtype in held.items()
    }
    refuse(table.name, reasons, may_be_text=not table.typed)


def _is_text(table: Table, position: int) -> bool:
    """Whether a column is read as text.

    Dates in a CSV are, so that an error can name one of them.
    """
    dtype = table.dtypes[position]
    is_date = not table.typed and isinstance(dtype, str) and not isinstance(dtype, Conflict)
    return is_date or table.holds_text(position)

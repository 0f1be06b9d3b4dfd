"""SQL that computes the logit, the probabilities or the label of each row.

The formulas are the stable ones: with e^-|z| of two classes, and with exponentials that neither
overflow nor vanish of K.  A probability above 1/2 is 1 minus all others, so that it is 1 only where
no smaller number is nearer; no other is a difference.

A formula has steps, which give names to intermediate results: the logits, their exponentials, the
sum.  SQL has no variables, so a query has a subquery for each step.  Where an expression cannot
contain a subquery, it repeats the text of a result wherever the formula uses its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastlogit.core import checks
from fastlogit.matrix import onehot
from fastlogit.models.export.dialects import DIALECTS, Dialect
from fastlogit.models.input import warn_without_offset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Output = Literal["probability", "logit", "label"]
Unknown = Literal["null", "ignore"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
UNKNOWN: tuple[Unknown, ...] = get_args(Unknown)

# The names of intermediate results begin with this.
_PREFIX = "fastlogit_"
# A longer sum is a sum of sums, as databases limit the depth of an expression, SQLite to 1,000.
_MOST_TERMS = 100
# The longest expression, in characters.
_LONGEST = 5_000_000
# The largest z for which σ(z) is 1/2 in float64.
_LARGEST_HALF = 2.0**-52
# The smallest z for which e^z is not 0 in float64.
_SMALLEST_EXPONENT = -745.1332191019411
# Sums of e^z up to this z do not overflow, and e^-z is no subnormal number.
_LARGEST_LOGIT = 700
# The smallest positive number.
_SMALLEST = 5e-324


class _Formula(NamedTuple):
    """Templates of intermediate results, step by step, and of the results.

    ``{z0}`` stands for the result that is named z0, of a former step.
    """

    steps: list[dict[str, str]]
    results: list[str]


def to_sql(
    model: Any,
    dialect: str,
    output: Output,
    table: str | Sequence[str] | None,
    offset: str | Sequence[str] | None,
    unknown: Unknown,
    names: str | Sequence[str] | None,
) -> str:
    """The SQL of a `LogisticModel`, whose method `to_sql` describes the arguments."""
    spelling: Dialect = DIALECTS[checks.choice(dialect, "dialect", list(DIALECTS))]
    checks.choice(output, "output", OUTPUTS)
    checks.choice(unknown, "unknown", UNKNOWN)
    offsets, parts = _names(offset, "offset"), _names(table, "table")
    results = _result_names(model, output, names)
    _check_names(model, offsets, parts, results, spelling)
    warn_without_offset(model, offset)

    formula = _formula(output, _logits(model, offsets, unknown, spelling), model.classes, spelling)
    if parts:
        return _query(formula, results, ".".join(map(spelling.name, parts)), spelling)
    texts = _expressions(formula, spelling)
    is_alone = names is None and len(texts) == 1
    text = texts[0] if is_alone else _named(texts, results, spelling)
    _check_length(text)
    return text


# Names --------------------------------------------------------------------------------------


def _names(value: str | Sequence[str] | None, argument: str) -> list[str]:
    """One or several names as a list; empty for None."""
    if value is None:
        return []
    names = [value] if isinstance(value, str) else checks.names(value, argument)
    if not names or "" in names:
        raise ValueError(f"{argument} must have a name; got {checks.shown(value)}")
    return names


def _result_names(model: Any, output: Output, given: str | Sequence[str] | None) -> list[str]:
    """The name of each result."""
    if output == "label" or len(model.classes) == 2:
        default = [str(output)]
    else:
        default = [f"{output}_{label}" for label in model.classes]
    names = _names(given, "names") or default
    if len(names) != len(default):
        raise ValueError(
            f"names must have one name for each result, {len(default)}; got {checks.shown(given)}"
        )
    return names


def _check_names(
    model: Any, offsets: list[str], parts: list[str], results: list[str], spelling: Dialect
) -> None:
    """Check that the database can hold all names and texts, and tells the columns apart."""
    logits = np.size(model.intercept)
    if len(offsets) not in (0, logits):
        count = "one column" if logits == 1 else f"{logits} columns, one for each class"
        raise ValueError(f"offset must be {count}; got {checks.shown(offsets)}")
    numbers, _, text = model.columns
    columns = {"feature_names": [*numbers, *text], "offset": offsets}
    others = {
        "table": parts,
        "categories": [one for known in text.values() for one in known if one is not None],
        "classes": [str(label) for label in model.classes],
        "names": results,
    }
    for argument, names in (columns | others).items():
        for name in names:
            if "\0" in name:
                raise ValueError(f"{argument} must have no NUL; got {checks.shown(name)}")
            if argument in columns and (not name or name.lower().startswith(_PREFIX)):
                raise ValueError(
                    f"{argument} must not be empty or begin with {_PREFIX!r}; got "
                    f"{checks.shown(name)}"
                )
    found: dict[Any, str] = {}
    for name in [*numbers, *text, *offsets]:
        key = spelling.same(name)
        if found.get(key) == name:
            raise ValueError(
                "offset must be a column of its own, not that of a feature or of another class; "
                f"got {checks.shown(name)}"
            )
        if key in found:
            raise ValueError(
                "feature_names and offset must be names of different columns; the dialect does not "
                f"distinguish {checks.shown(found[key])} from {checks.shown(name)}"
            )
        found[key] = name
    for name in results:
        key = spelling.same(name)
        if key in found:
            other = checks.shown(found[key])
            same = (
                ""
                if found[key] == name
                else f", which the dialect does not distinguish from {other}"
            )
            raise ValueError(
                "names must differ from each other and from the model's columns; got "
                f"{checks.shown(name)}{same}"
            )
        found[key] = name


# Logits -------------------------------------------------------------------------------------


def _logits(model: Any, offsets: list[str], unknown: Unknown, spelling: Dialect) -> dict[str, str]:
    """Templates of the logits: z0 of two classes, z0, z1 and so on of K."""
    numbers, coef, text = model.columns
    rows = np.atleast_2d(coef).tolist()
    column_of = {
        name: spelling.as_number.format(spelling.name(name)) for name in [*numbers, *offsets]
    }
    logits = {}
    for k, intercept in enumerate(np.atleast_1d(model.intercept).tolist()):
        terms = [spelling.number(intercept)] if model.with_intercept else []
        for name, value in zip(numbers, rows[k], strict=True):
            terms.append(f"{column_of[name]} * {spelling.number(value)}")
        for name, values in text.items():
            known = {one: float(np.ravel(value)[k]) for one, value in values.items()}
            terms.append(_category(spelling.name(name), known, unknown, spelling))
        terms += [column_of[name] for name in offsets[k : k + 1]]
        logits[f"z{k}"] = _escaped(_sum(terms))
    return logits


def _category(
    column: str, known: dict[str | None, float], unknown: Unknown, spelling: Dialect
) -> str:
    """The coefficient of a row's category."""
    known = onehot.with_spellings(known)
    others = known.pop(None, 0.0 if unknown == "ignore" else None)
    rest = None if others is None else spelling.number(others)
    cases = {spelling.text(str(text)): spelling.number(coef) for text, coef in known.items()}
    text = spelling.as_text.format(column)
    if rest is not None and not cases:
        return f"CASE WHEN {text} IS NOT NULL THEN {rest} END"
    look_up = _from_values if spelling.compiles_slowly else _from_cases
    found = look_up(text, cases, rest)
    return found if rest is None else f"CASE WHEN {text} IS NOT NULL THEN {found} END"


def _from_cases(text: str, cases: dict[str, str], rest: str | None) -> str:
    """The value of a text; otherwise `rest`, or NULL for None."""
    lines = [f"CASE {text}", *(f"WHEN {one} THEN {value}" for one, value in cases.items())]
    return "\n".join([*lines, "END" if rest is None else f"ELSE {rest} END"])


def _from_values(text: str, cases: dict[str, str], rest: str | None) -> str:
    """The same by a subquery."""
    rows = ",\n".join(f"({one}, {value})" for one, value in cases.items())
    named = f"SELECT column1 AS {_PREFIX}text, column2 AS {_PREFIX}coef FROM (VALUES\n{rows})"
    found = f"(SELECT {_PREFIX}coef FROM ({named}) WHERE {_PREFIX}text = {text})"
    return found if rest is None else f"COALESCE({found}, {rest})"


def _escaped(text: str) -> str:
    """A template that gives the text."""
    return text.replace("{", "{{").replace("}", "}}")


def _sum(terms: Sequence[str]) -> str:
    return _grouped("\n+ ".join, terms)


def _grouped(combine: Callable[[Sequence[str]], str], terms: Sequence[str]) -> str:
    """Combine terms in groups of limited size, and the groups in the same way."""
    while len(terms) > _MOST_TERMS:
        groups = [terms[k : k + _MOST_TERMS] for k in range(0, len(terms), _MOST_TERMS)]
        terms = [f"({combine(group)})" if len(group) > 1 else group[0] for group in groups]
    return combine(terms)


# Formulas -----------------------------------------------------------------------------------


def _formula(
    output: Output, logits: dict[str, str], classes: Sequence[Any], spelling: Dialect
) -> _Formula:
    """The formula of an output."""
    z = [f"{{{name}}}" for name in logits]
    labels = [_escaped(_label(label, spelling)) for label in classes]
    if output == "logit":
        return _Formula([], list(logits.values()))
    if len(z) == 1:
        if output == "label":
            return _Formula([logits], [_label_of_two(labels, spelling)])
        steps = [logits, {"e": _exp("-ABS({z0})", spelling)}, {"q": "{e} / (1 + {e})"}]
        return _Formula(steps, ["CASE WHEN {z0} >= 0 THEN 1 - {q} ELSE {q} END"])
    if output == "label":
        steps = [logits, {"m": _largest(z, spelling)}]
        return _Formula(steps, [_label_of_many(z, labels)])
    return _softmax(logits, z, spelling)


def _largest(terms: Sequence[str], spelling: Dialect) -> str:
    return _grouped(lambda some: f"{spelling.largest}({', '.join(some)})", terms)


def _label(label: Any, spelling: Dialect) -> str:
    """A label as a literal."""
    if isinstance(label, bool):
        return str(label).upper()
    if isinstance(label, str):
        return spelling.text(label)
    return spelling.number(label) if isinstance(label, float) else str(label)


def _label_of_two(labels: Sequence[str], spelling: Dialect) -> str:
    """The second label if y > 1/2, which is a condition on z."""
    # Some databases take NaN for the largest number, but then also -NaN.
    high, low = spelling.number(_LARGEST_HALF), spelling.number(-_LARGEST_HALF)
    return f"CASE WHEN {{z0}} <= {high} THEN {labels[0]} WHEN -{{z0}} < {low} THEN {labels[1]} END"


def _label_of_many(z: Sequence[str], labels: Sequence[str]) -> str:
    """The first label with the largest logit; NULL if a logit is NULL or NaN."""
    pairs = zip(z, labels, strict=True)
    cases = " ".join(f"WHEN {one} = {{m}} THEN {label}" for one, label in pairs)
    # The largest of several arguments ignores NULL in some databases.
    return f"CASE WHEN {{m}} - {{m}} = 0 AND {_sum(z)} IS NOT NULL THEN CASE {cases} END END"


def _exp(argument: str, spelling: Dialect) -> str:
    """The exponential of an argument up to 700; 0 without an error if it is too small."""
    if not spelling.refuses_underflow:
        return f"EXP({argument})"
    smallest = spelling.number(_SMALLEST_EXPONENT)
    return f"CASE WHEN {argument} < {smallest} THEN 0 ELSE EXP({argument}) END"


def _softmax(logits: dict[str, str], z: Sequence[str], spelling: Dialect) -> _Formula:
    """The probabilities of K classes.

    Exponentials e of logits in +-700, and their sums, are normal numbers.  Otherwise the largest
    logit is subtracted; the difference d rounds, so the relative error of e^d is |d| * 2**-53.
    """
    size = _largest([f"ABS({one})" for one in z], spelling)
    shift = f"CASE WHEN {size} <= {_LARGEST_LOGIT} THEN 0 ELSE {_largest(z, spelling)} END"
    exponentials = {f"e{k}": _exp(f"({one} - {{c}})", spelling) for k, one in enumerate(z)}
    e = [f"{{{name}}}" for name in exponentials]
    others = {f"r{k}": _sum(e[:k] + e[k + 1 :]) for k in range(len(e))}
    results = []
    for one, rest in zip(e, (f"{{{name}}}" for name in others), strict=True):
        total = f"({one} + {rest})"
        small, large = (_quotient(part, total, spelling) for part in (one, rest))
        results.append(f"CASE WHEN {one} > {rest} THEN 1 - {large} ELSE {small} END")
    return _Formula([logits, {"c": shift}, exponentials, others], results)


def _quotient(part: str, total: str, spelling: Dialect) -> str:
    """A part divided by its total; at least the smallest number, where 0 would be an error."""
    if spelling.refuses_underflow:
        least = f"{spelling.largest}({part}, {total} * {spelling.number(_SMALLEST)})"
        part = f"CASE WHEN {total} > 1 THEN {least} ELSE {part} END"
    return f"{part} / {total}"


# Queries ------------------------------------------------------------------------------------


def _expressions(formula: _Formula, spelling: Dialect) -> list[str]:
    """The results as expressions.

    They have subqueries, or repeat the text of intermediate results.
    """
    if formula.steps and spelling.has_subqueries:
        return [_subquery(formula.steps, result, spelling) for result in formula.results]
    texts: dict[str, str] = {}
    for step in formula.steps:
        texts |= {name: f"({text.format_map(texts)})" for name, text in step.items()}
        _check_length(*texts.values())
    return [f"({result.format_map(texts)})" for result in formula.results]


def _subquery(steps: list[dict[str, str]], result: str, spelling: Dialect) -> str:
    """One result of a formula, as a subquery about the outer row."""
    *steps, last = steps
    used = {name: text for name, text in last.items() if f"{{{name}}}" in result}
    names = _own_names([*steps, used], spelling)
    return f"(SELECT {result.format_map(names)}\nFROM {_nested([*steps, used], names, None)})"


def _check_length(*texts: str) -> None:
    if sum(map(len, texts)) > _LONGEST:
        raise ValueError(
            f"table must be given: without it, the SQL would have more than {_LONGEST:,} "
            "characters, as it repeats the logits"
        )


def _query(formula: _Formula, columns: Sequence[str], source: str, spelling: Dialect) -> str:
    """A query of all columns of a table and the results."""
    everything, names = "*", _own_names(formula.steps, spelling)
    results = [result.format_map(names) for result in formula.results]
    if not formula.steps or not (spelling.has_lateral or spelling.without is not None):
        results = _expressions(formula, spelling)
    elif spelling.has_lateral:
        everything, nested = f"{_PREFIX}rows.*", _nested(formula.steps, names, None)
        source = f"{source} AS {_PREFIX}rows\nCROSS JOIN LATERAL {nested}"
    else:
        source = _nested(formula.steps, names, source)
        if spelling.without:
            everything = f"* {spelling.without} ({', '.join(names.values())})"
    return f"SELECT {everything},\n{_named(results, columns, spelling)}\nFROM {source}"


def _named(results: Sequence[str], columns: Sequence[str], spelling: Dialect) -> str:
    """Results with the names of their columns."""
    pairs = zip(results, columns, strict=True)
    return ",\n".join(f"{result} AS {spelling.name(column)}" for result, column in pairs)


def _own_names(steps: list[dict[str, str]], spelling: Dialect) -> dict[str, str]:
    """The column of each intermediate result."""
    return {name: spelling.name(_PREFIX + name) for step in steps for name in step}


def _nested(steps: list[dict[str, str]], names: dict[str, str], source: str | None) -> str:
    """A subquery that adds the intermediate results to a table, or gives them for the outer row."""
    text = source or ""
    for number, step in enumerate(steps):
        columns = [f"{one.format_map(names)} AS {names[name]}" for name, one in step.items()]
        # First, as databases that allow equal names take the first of them.
        selected = ",\n".join([*columns, "*"] if text else columns)
        # The limit keeps a database from replacing names by their expressions.
        end = "" if source else " LIMIT 1"
        start = f"\nFROM {text}" if text else ""
        text = f"(SELECT {selected}{start}{end}) AS {_PREFIX}{number}"
    return text

"""Where the figures in the text come from.

A figure is what a text reports as measured: every ``x ± y``, and every number with a
decimal point in a Markdown table. Figures of one table row, or joined by slashes, form
a group. A group must be one of these:

- rounded from the ledgers, in their order, and all of one method: of the one that the
  row names, if an English row names one;
- printed in one line of a stored output of the same notebook;
- quoted: with a citation in the same row or sentence. For numbers without ± in a table
  a citation in the paragraph before the table will do;
- invented, and called so in the same cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

NUMBER = r"-?\d+(?:\.\d+)?"
PAIR = re.compile(rf"({NUMBER})\s*(?:±|\\pm)\s*({NUMBER})")
RUN = re.compile(rf"{PAIR.pattern}(?: / {PAIR.pattern})*")
DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.]*\w)")
CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
FENCE = re.compile(r"^(~~~|```)(?!\{).*?^\1", re.M | re.S)
# a key, or a paper by its authors and year
CITED = re.compile(
    r"\{cite|(?:et al\.|等人?)\D{0,20}(?:19|20)\d\d|Lake (?:et al\.|等人)"
)
QUANTILE = {"97.5", "1.96"}  # what makes a 95 % interval, not measured
INVENTED = re.compile(r"\binvented\b|虚构")


@dataclass(frozen=True)
class Group:
    """Figures that stand together, and what licenses them."""

    pairs: tuple[tuple[str, str], ...]
    bare: tuple[str, ...]
    label: str  # the first cell of the row, or ""
    cited: bool
    invented: bool

    def __str__(self) -> str:
        return " / ".join([*(f"{x} ± {y}" for x, y in self.pairs), *self.bare])


def groups(text: str) -> Iterator[Group]:
    """The figures of a Markdown cell or page, in their order."""
    invented = bool(INVENTED.search(text))
    text = FENCE.sub("", text)
    before = ""
    for is_row, lines in groupby(text.splitlines(), lambda line: line.startswith("|")):
        if is_row:
            for line in list(lines)[2:]:  # after the header
                label = line.split("|")[1]
                cited = bool(CITED.search(line))
                plain = CODE.sub("", line)
                pairs = tuple(PAIR.findall(plain))
                bare = tuple(
                    x for x in DECIMAL.findall(PAIR.sub("", plain)) if x not in QUANTILE
                )
                cited = cited or (not pairs and bool(CITED.search(before)))
                if pairs or bare:
                    yield Group(pairs, bare, label, cited, invented)
            continue
        prose = "\n".join(lines)
        paragraphs = [p for p in prose.split("\n\n") if p.strip()]
        before = paragraphs[-1] if paragraphs else before
        for sentence in re.split(r"(?<=。)|(?<=[.?!])(?<!et al\.)\s", prose):
            cited = bool(CITED.search(sentence))
            for found in RUN.finditer(CODE.sub("", sentence)):
                pairs = tuple(PAIR.findall(found[0]))
                yield Group(pairs, (), "", cited, invented)


def held(group: Group, ledger: list[dict], measured: list[float], printed: str) -> bool:
    """Whether a group is one of those that the module's docstring allows.

    Args:
        group: what the text reports.
        ledger: rows of ``results.json``.
        measured: numbers of ``benchmark.json``.
        printed: the stored outputs of the notebook; "" on a page.
    """
    return (
        group.cited
        or group.invented
        or in_ledger(group, ledger)
        or in_outputs(group, printed)
        or (not group.pairs and all(near(x, measured) for x in group.bare))
    )


def in_ledger(group: Group, ledger: list[dict]) -> bool:
    """Whether one method has all these figures, in the ledger's order."""
    methods = {row["method"] for row in ledger}
    # a Chinese row has its own names, and the figures of its English twin
    named = [m for m in methods if m in group.label and group.label.isascii()]
    for method in [max(named, key=len)] if named else methods:
        rows = iter([row for row in ledger if row["method"] == method])
        if not group.pairs:
            if any(all(near(x, numbers(row)) for x in group.bare) for row in rows):
                return True
            continue
        used = [next((row for row in rows if is_figure(p, row)), None)
                for p in group.pairs]  # fmt: skip
        if None not in used:
            every = [number for row in used for number in numbers(row)]
            return all(near(x, every) for x in group.bare)
    return False


def in_outputs(group: Group, printed: str) -> bool:
    """Whether the notebook prints all these figures in one line."""
    return any(in_line(group, line) for line in printed.splitlines())


def in_line(group: Group, line: str) -> bool:
    pairs = [(float(x), float(y)) for x, y in PAIR.findall(line)]
    single = [float(x) for x in re.findall(NUMBER, line)]
    return all(
        any(near(x, [a]) and near(y, [b]) for a, b in pairs) for x, y in group.pairs
    ) and all(near(x, single) for x in group.bare)


def is_figure(pair: tuple[str, str], row: dict) -> bool:
    """Whether a pair is a row's value and interval, rounded."""
    return near(pair[0], [row["value"]]) and near(pair[1], [row["ci95"]])


def numbers(row: dict) -> list[float]:
    """All that a row of the ledger says of its figure."""
    return [row["value"], row["ci95"], *row["per_seed"]]


def near(text: str, numbers: list[float]) -> bool:
    """Whether ``text`` is one of the numbers, rounded to the decimals it has."""
    decimals = len(text.partition(".")[2])
    half = 0.5 * 10**-decimals * (1 + 1e-6)  # 0.0625 is 0.062 or 0.063
    return any(abs(float(text) - number) <= half for number in numbers)

"""Write outfits.csv and truth/noise.csv from truth/catalogue.csv, the same bytes every time."""

from __future__ import annotations

import csv
import itertools
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).resolve().parent
SEED = 20
ROWS = 1000
FLIPPED = 50
HOUSE_COLOURS = {"rust", "ochre"}
PATTERNS = {"striped", "checked"}
WORD = {True: "yes", False: "no"}


@dataclass(frozen=True)
class Piece:
    """One piece of the shop's catalogue."""

    description: str
    kind: str
    colour: str
    fabric: str
    texture: str
    detail: str


def read_catalogue(path: Path) -> list[Piece]:
    """Read the pieces in file order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Piece(**row) for row in csv.DictReader(file)]


def judge(a: Piece, b: Piece) -> tuple[str, bool]:
    """Name the house rule that decides the pair and say whether the pair goes.

    The rules are tried in order and the first that applies decides.
    """
    both = ((a, b), (b, a))
    if any(one.detail == "zip" for one in (a, b)):
        goes = all(other.fabric == "linen" for one, other in both if one.detail == "zip")
        return "zip", goes
    if any(one.colour in HOUSE_COLOURS for one in (a, b)):
        goes = all(other.fabric != "denim" for one, other in both if one.colour in HOUSE_COLOURS)
        return "house colour", goes
    if any(one.detail == "horn" for one in (a, b)):
        return "horn", True
    if any(one.detail == "patch pockets" for one in (a, b)):
        return "patch pockets", False
    patterned = sum(one.texture in PATTERNS for one in (a, b))
    if patterned:
        return "pattern", patterned == 2
    return "plain", True


def draw_pairs(pieces: list[Piece], rng: random.Random) -> list[tuple[Piece, Piece]]:
    """Draw distinct pairs of two kinds, each in a random order."""
    possible = [(a, b) for a, b in itertools.combinations(pieces, 2) if a.kind != b.kind]
    return [(b, a) if rng.random() < 0.5 else (a, b) for a, b in rng.sample(possible, ROWS)]


def write(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    """Write one CSV file with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Draw the pairs, label them, flip some labels and write both files."""
    rng = random.Random(SEED)
    pairs = draw_pairs(read_catalogue(HERE / "truth" / "catalogue.csv"), rng)
    truth = [judge(a, b)[1] for a, b in pairs]
    flipped = set(rng.sample(range(ROWS), FLIPPED))
    given = [goes != (row in flipped) for row, goes in enumerate(truth)]
    write(
        HERE / "outfits.csv",
        ["first", "second", "goes"],
        ([a.description, b.description, WORD[g]] for (a, b), g in zip(pairs, given, strict=True)),
    )
    write(
        HERE / "truth" / "noise.csv",
        ["row", "given", "true"],
        ([str(row + 1), WORD[given[row]], WORD[truth[row]]] for row in sorted(flipped)),
    )


if __name__ == "__main__":
    main()

"""Write sessions.csv from ../workouts.jsonl, the same bytes every time: every workout on its sheet."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOSE = re.compile(r"\b\d+\s?x\s?(\d+)\b(?!\s?(?:kg|m\b|second))")
SECONDS = re.compile(r"\bseconds?\b", re.IGNORECASE)
LEGS = re.compile(r"squat|lunge|step-?ups?\b", re.IGNORECASE)
HEAVY = 6


def sheet(workout: str) -> str:
    """The sheet that a workout goes on: the first criterion that it meets decides."""
    doses = [int(repetitions) for repetitions in DOSE.findall(workout)]
    if SECONDS.search(workout):
        return "amber"
    if any(repetitions <= HEAVY for repetitions in doses):
        return "red"
    if doses:
        return "blue"
    return "green" if LEGS.search(workout) else "white"


def main() -> None:
    """Read the workouts in file order and write each once with its sheet."""
    lines = (HERE.parent / "workouts.jsonl").read_text(encoding="utf-8").splitlines()
    workouts = dict.fromkeys(json.loads(line)["completion"] for line in lines)
    with (HERE / "sessions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["session", "sheet"])
        writer.writerows([workout, sheet(workout)] for workout in workouts)


if __name__ == "__main__":
    main()

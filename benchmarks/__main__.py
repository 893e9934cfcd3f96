"""Measure what is asked for and put it into docs/performance.md.

    python -m benchmarks                        # all suites, about a quarter of an hour of 2 cores
    python -m benchmarks generation workers     # these; the others' lines stay as they are

Each suite runs in a process of its own. Lines of a suite are kept in benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import date
from pathlib import Path

from benchmarks.ratios import Row, line, measure

ROOT = Path(__file__).parents[1]
PAGE, RESULTS = ROOT / "docs/performance.md", ROOT / "benchmarks/results"
SUITES = ("generation", "tuning", "workers", "schedule", "prompts", "startup")
BEGIN, END = "<!-- python -m benchmarks -->", "<!-- end -->"


def table(results: Iterable[dict]) -> str:
    """Everything that was ever measured, suite by suite."""
    parts = []
    for result in results:
        rows = [Row(**row) for row in result["rows"]]
        parts.append(
            f"### {rows[0].suite.capitalize()}\n\n"
            "| what | against | ratio | figures |\n|---|---|---|---|\n"
            + "\n".join(map(line, rows))
            + f"\n\n{result['date']}, {result['cores']} cores, load {result['load']:.1f} before.\n"
        )
    return "\n".join(parts)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], default=[])
    chosen = parser.parse_args().suites or SUITES
    os.chdir(ROOT)
    RESULTS.mkdir(exist_ok=True)
    for suite in chosen:
        load = os.getloadavg()[0]
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            rows = process.submit(measure, suite).result()
        facts = {"date": date.today().isoformat(), "cores": os.cpu_count(), "load": load}
        result = {**facts, "rows": [asdict(row) for row in rows]}
        (RESULTS / f"{suite}.json").write_text(json.dumps(result, indent=1) + "\n")
        write_page()


def write_page() -> None:
    """The table of all that is in `RESULTS`, between its marks."""
    found = [RESULTS / f"{suite}.json" for suite in SUITES]
    results = [json.loads(file.read_text()) for file in found if file.exists()]
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(results)}\n{END}{after}")


if __name__ == "__main__":
    main()

"""Shares of answers as a figure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from mitune.survey.shares import NOTHING, overall

_COLOUR = "#4c72b0"


def selection_shares(
    table: pd.DataFrame, labels: Mapping[str, str], colours: Mapping[str, str]
) -> Figure:
    """Share of answers that select each option, averaged as published, with 95 % intervals.

    `table`: as of `shares.shares`, with `study`; `labels` and `colours`: of options that have one.
    Names are text: an imported file may have any.
    """
    averages = overall(table)
    single = ~averages["option"].str.startswith("only ") & (averages["option"] != NOTHING)
    studies = list(averages[single].groupby("study", sort=False))
    tallest = max(len(rows) for _, rows in studies)
    figure = Figure(figsize=(5 * len(studies), 1.2 + 0.4 * tallest), layout="constrained")
    axes = figure.subplots(1, len(studies), squeeze=False)[0]
    for axis, (study, rows) in zip(axes, studies, strict=True):
        names = [labels.get(option, option) for option in rows["option"]]
        shares = 100 * rows[["share", "low", "high"]].to_numpy(float)
        for place, (option, (share, low, high)) in enumerate(
            zip(rows["option"], shares, strict=True)
        ):
            reach = [[share - low], [high - share]]
            colour = colours.get(option, _COLOUR)
            axis.errorbar(share, place, xerr=reach, fmt="o", capsize=3, color=colour)
        axis.set_yticks(range(len(names)), names, parse_math=False)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_xlim(0, 100)
        axis.set_xlabel("% of answers that select it")
        axis.set_title(f"survey of {study}, {rows['surveys'].max()} surveys", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", alpha=0.3)
    return figure

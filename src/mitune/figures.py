"""Figures of the workflow, as matplotlib figures; no figure is shown or kept open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mitune.ranking import representatives

_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3")
_LABELS = {"path": "path score", "forward": "forward score", "information": "information"}


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def contact_sheet(
    rows: Sequence[tuple[str, pd.DataFrame, NDArray[np.uint8]]], score: str, metric: str
) -> Figure:
    """Candidates of some prompts, highest score first; a green frame where the metric is high."""
    shown = max(min(12, max((len(p) for _, _, p in rows), default=1)), 1)
    width = max(1.05 * shown + 0.2, 5.0)  # no less than its title
    figure = Figure(figsize=(width, 1.35 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(max(len(rows), 1), shown, squeeze=False)
    for axes, (prompt, table, pictures) in zip(grid, rows, strict=False):
        picks = np.unique(np.linspace(0, len(pictures) - 1, shown).round().astype(int))
        for axis in axes:
            axis.axis("off")
        for axis, pick in zip(axes, picks, strict=False):
            axis.axis("on")
            axis.imshow(pictures[pick], interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            right = table[metric].iloc[pick] > 0.5
            for side in axis.spines.values():
                side.set_color("#2a9d4a" if right else "#cccccc")
                side.set_linewidth(2.5 if right else 1)
            axis.set_xlabel(f"{table[score].iloc[pick]:.1f}", fontsize=7, labelpad=1)
        title = axes[0].set_title(prompt, fontsize=8, loc="left")
        title.set_in_layout(False)  # it is wider than its picture, and must not widen the column
    figure.suptitle(
        f"candidates by {_LABELS.get(score, score)} (nats), best first; green: {metric} > 0.5",
        fontsize=9,
    )
    return figure


def agreement(table: pd.DataFrame) -> Figure:
    """Tau and AUC of each estimate with each metric, with 95 % intervals."""
    figure, axes = _figure(8, 3.2, 2)
    metrics = list(dict.fromkeys(table["metric"]))
    estimates = list(dict.fromkeys(table["estimate"]))
    for axis, name, chance in ((axes[0], "tau", 0.0), (axes[1], "auc", 0.5)):
        for i, metric in enumerate(metrics):
            part = table[table["metric"] == metric].set_index("estimate").loc[estimates]
            x = np.arange(len(part)) + (i - (len(metrics) - 1) / 2) * 0.25
            error = [part[name] - part[f"{name}_low"], part[f"{name}_high"] - part[name]]
            axis.errorbar(x, part[name], error, fmt="o", capsize=3, color=_COLOURS[i], label=metric)
        axis.axhline(chance, color="#999999", lw=1, ls=":")
        axis.set_xticks(range(len(estimates)), [_LABELS.get(e, e) for e in estimates])
        axis.set_ylabel("Kendall's tau within a prompt" if name == "tau" else "AUC within a prompt")
    axes[0].legend(frameon=False)
    return figure


def by_rank(measurements: pd.DataFrame, estimates: Sequence[str], metrics: Sequence[str]) -> Figure:
    """What the rank by MI says about the metrics.

    The mean of the first metric by rank; the last estimate by outcome; and of each metric the
    distribution over prompts at the first, the middle and the last rank (MI-TUNE, Fig. 17).
    """
    metric = metrics[0]
    figure, axes = _figure(4 * (2 + len(metrics)), 3.2, 2 + len(metrics))
    for i, estimate in enumerate(estimates):
        ranks = measurements.groupby("prompt_id")[estimate].rank(ascending=False, method="first")
        means = measurements.groupby(ranks)[metric].mean()
        axes[0].plot(
            means.index, means, "o-", ms=3, color=_COLOURS[i], label=_LABELS.get(estimate, estimate)
        )
    axes[0].set_xlabel("rank by MI within the prompt")
    axes[0].set_ylabel(f"mean {metric}")
    axes[0].set_ylim(0)
    axes[0].legend(frameon=False)
    best = estimates[-1]
    relative = measurements[best] - measurements.groupby("prompt_id")[best].transform("mean")
    low, high = np.quantile(relative.to_numpy(), [0.005, 0.995])
    bins = np.linspace(float(low), float(high), 40).tolist()
    for label, rows, colour in (
        (f"{metric} > 0.5", measurements[metric] > 0.5, _COLOURS[2]),
        (f"{metric} ≤ 0.5", measurements[metric] <= 0.5, _COLOURS[3]),
    ):
        axes[1].hist(relative[rows], bins, alpha=0.6, color=colour, label=label)
    axes[1].set_xlabel(f"{_LABELS.get(best, best)} minus its mean over the prompt (nats)")
    axes[1].set_ylabel("candidates")
    axes[1].legend(frameon=False)
    chosen = representatives(measurements, best)
    for axis, name in zip(axes[2:], metrics, strict=True):
        for colour, place in zip(_COLOURS, ("first", "middle", "last"), strict=False):
            values = chosen[name][chosen["representative"] == place].dropna()
            axis.ecdf(values, color=colour, label=f"{place} by {_LABELS.get(best, best)}")
        axis.set_xlabel(name)
        axis.set_ylabel("share of prompts at or below")
        axis.legend(frameon=False, fontsize=8)
    return figure


def training(log: pd.DataFrame) -> Figure:
    """Loss per step, and its running mean."""
    figure, (axis,) = _figure(5, 2.8)
    axis.plot(log["index"], log["loss"], color="#bbbbbb", lw=1)
    axis.plot(log["index"], log["loss"].rolling(20, min_periods=1).mean(), color=_COLOURS[0])
    axis.set_xlabel("optimiser step")
    axis.set_ylabel("loss")
    return figure


def alignment(summary: pd.DataFrame, metric: str, labels: Mapping[str, str]) -> Figure:
    """Metric per category and model, with 95 % intervals over prompts."""
    part = summary[summary["metric"] == metric]
    categories = list(dict.fromkeys(part["category"]))
    figure, (axis,) = _figure(11, 3.6)
    width = 0.8 / len(labels)
    for i, (model, label) in enumerate(labels.items()):
        rows = part[part["model"] == model].set_index("category").loc[categories]
        x = np.arange(len(categories)) + (i - (len(labels) - 1) / 2) * width
        error = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
        axis.bar(x, rows["mean"], width, color=_COLOURS[i % len(_COLOURS)], label=label)
        axis.errorbar(x, rows["mean"], error, fmt="none", ecolor="#333333", elinewidth=1)
    axis.set_xticks(range(len(categories)), categories)
    axis.set_ylabel(metric)
    axis.legend(frameon=False, ncols=len(labels), loc="upper center", bbox_to_anchor=(0.5, 1.15))
    return figure


def guidance_grid(
    grid: pd.DataFrame, labels: Mapping[str, str], alignment: str, distance: str
) -> Figure:
    """Alignment and distance over guidance, and one against the other (MI-TUNE, Fig. 2)."""
    figure, axes = _figure(11, 3.4, 3)
    for (model, name), colour in zip(labels.items(), _COLOURS, strict=False):
        rows = grid[grid["model"] == model].sort_values("scale").set_index("scale")
        high, far = (rows[rows["measure"] == measure] for measure in (alignment, distance))
        for axis, part in ((axes[0], high), (axes[1], far)):
            axis.plot(part.index, part["value"], "o-", ms=3, color=colour, label=name)
            axis.fill_between(part.index, part["low"], part["high"], color=colour, alpha=0.15, lw=0)
        axes[2].plot(far["value"], high["value"], "o-", ms=3, color=colour)
        for scale, x, y in zip(far.index, far["value"], high["value"], strict=True):
            axes[2].annotate(f"{scale:g}", (x, y), (2, 2), textcoords="offset points", fontsize=6)
    less = f"{distance} (less is better)"
    for axis, x, y in zip(
        axes, ("guidance", "guidance", less), (alignment, distance, alignment), strict=True
    ):
        axis.set_xlabel(x)
        axis.set_ylabel(y)
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def mi_benchmark_table(results: pd.DataFrame) -> Figure:
    """Mean estimates in nats, estimators by tasks, coloured by what is missing or too much.

    Colour: (estimate - truth) / truth, clipped to one.
    """
    means = results.pivot_table(
        "estimate", "estimator", "task", aggfunc="mean", sort=False, dropna=False
    )
    truth = results.drop_duplicates("task").set_index("task")["truth"].loc[means.columns]
    figure = Figure(figsize=(0.5 * len(truth) + 3, 0.32 * len(means) + 4), layout="constrained")
    axis = figure.subplots()
    error = ((means - truth) / truth).clip(-1, 1)
    errors = error.to_numpy()
    image = axis.imshow(errors, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(means.to_numpy()):
        shown = "–" if np.isnan(value) else f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}"
        dark = abs(errors[row, column]) > 0.6
        axis.text(
            column, row, shown, ha="center", va="center", fontsize=6.5, color="w" if dark else "k"
        )
    axis.set_yticks(range(len(means)), means.index, fontsize=8)
    labels = [f"{task}  ({value:.2f})" for task, value in truth.items()]
    axis.set_xticks(range(len(truth)), labels, rotation=90, fontsize=7)
    axis.xaxis.tick_top()
    figure.colorbar(image, ax=axis, label="relative error", fraction=0.02, pad=0.01)
    return figure


def quality(table: pd.DataFrame, labels: Mapping[str, str], control: str) -> Figure:
    """Each distance to the references by model, with 95 % intervals where there are any.

    Dotted: the row `control`, other pictures from where the references are from.
    """
    distances = list(dict.fromkeys(table["distance"]))
    figure, axes = _figure(3.6 * len(distances), 3.2, len(distances))
    for axis, distance in zip(axes, distances, strict=True):
        part = table[table["distance"] == distance].set_index("model")
        rows = part.loc[list(labels)]
        for i, row in enumerate(rows.itertuples()):
            colour = _COLOURS[i % len(_COLOURS)]
            axis.plot(i, row.value, "o", color=colour)
            axis.vlines(i, row.low, row.high, color=colour)
        if control in part.index:
            axis.axhline(part.loc[control, "value"], color="#999999", lw=1, ls=":", label=control)
            axis.legend(frameon=False, fontsize=8)
        axis.set_xticks(range(len(rows)), list(labels.values()), rotation=35, ha="right")
        axis.set_ylabel(distance)
        axis.set_title(f"n = {rows['n'].iloc[0]}, m = {rows['m'].iloc[0]}", fontsize=8)
    return figure

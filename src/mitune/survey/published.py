"""Tables 6 and 7 of MI-TUNE as published, in the columns of `shares`."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mitune.paper_tables import published_tables
from mitune.survey.row import Kind
from mitune.survey.shares import AVERAGE, NOTHING

OFFICIAL_NAMES: Mapping[Kind, Mapping[str, str]] = {
    "metrics": {"mi": "MI", "blip": "BLIP-VQA", "hps": "HPS"},
    "methods": {
        "MI": "MI-TUNE",
        "AandE": "A&E",
        "Structured": "SDG",
        "S-CFG": "SCG",
        "HardNeg": "HN-ITM",
        "VNL": "SD-2.1-base",
    },
}
"""What an option that the released notebooks name so is called in the tables."""

_SUBSET = r"selected\(MI,BLIP,HPS\)=([01]{3})"
_THREE = ("MI", "BLIP-VQA", "HPS")


def published(study: Kind) -> pd.DataFrame:
    """Columns: by, part, option, share (0 to 1). Subsets are named as in `shares`."""
    tables = published_tables()
    if study == "metrics":
        rows = tables[(tables["file"] == "mitune_table06_user_study_metrics")]
        rows = rows[rows["metric"].isin(["answer_share", "selection_share"])]
        option = rows["method"].str.removeprefix("any answer selecting ")
        digits = rows["method"].str.extract(_SUBSET)[0]
        option = option.where(digits.isna(), digits.map(_subset, na_action="ignore"))
        by = "group"
    else:
        rows = tables[tables["file"] == "mitune_table07_user_study_methods"]
        option, by = rows["method"], "category"
    part = rows["category"].replace("avg_of_groups", AVERAGE)
    share = rows["value"].astype(float) / 100
    table = {"by": by, "part": part, "option": option, "share": share}
    return pd.DataFrame(table).reset_index(drop=True)


def _subset(digits: str) -> str:
    names = [name for name, digit in zip(_THREE, digits, strict=True) if digit == "1"]
    return f"only {'+'.join(names)}" if names else NOTHING

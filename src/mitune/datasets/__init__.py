"""What the catalog stores: folders, models, adapters, shards. No tensor passes through."""

from mitune.datasets.adapter import (
    AdapterDataset,
    FinishedAdaptersDataset,
    NoAdapterDataset,
)
from mitune.datasets.figure import FigureDataset
from mitune.datasets.folder import FolderDataset
from mitune.datasets.model import ModelDataset
from mitune.datasets.record import RecordDataset
from mitune.datasets.shards import FinishedShardsDataset, Shards, ShardsDataset

__all__ = [
    "AdapterDataset",
    "FigureDataset",
    "FinishedAdaptersDataset",
    "FinishedShardsDataset",
    "FolderDataset",
    "ModelDataset",
    "NoAdapterDataset",
    "RecordDataset",
    "Shards",
    "ShardsDataset",
]

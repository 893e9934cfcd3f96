"""What the catalog stores: folders, models, adapters, shards. No tensor passes through."""

from mitune.datasets.adapter import AdapterDataset, NoAdapterDataset
from mitune.datasets.figure import FigureDataset
from mitune.datasets.folder import FolderDataset
from mitune.datasets.model import ModelDataset
from mitune.datasets.record import RecordDataset
from mitune.datasets.shards import FinishedShardsDataset, Shards, ShardsDataset
from mitune.datasets.workspace import Workspace, WorkspaceDataset

__all__ = [
    "AdapterDataset",
    "FigureDataset",
    "FinishedShardsDataset",
    "FolderDataset",
    "ModelDataset",
    "NoAdapterDataset",
    "RecordDataset",
    "Shards",
    "ShardsDataset",
    "Workspace",
    "WorkspaceDataset",
]

"""Inception-v3 pool features of TensorFlow's 2015 network: those of FID (Heusel et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import MetricError, Network
from mitune.metrics.embedders.base import Embedder, batched


class Inception(Network):
    """(N, 2048) pool features; pictures of any size, resized to 299 inside the network.

    `network` says what is at `path`: `torch_fidelity`, the state dict that package publishes
    (weights-inception-2015-12-05-6726825d.pth; needs the extra `quality`), or `torchscript`, the
    traced network of the StyleGAN authors (inception-2015-12-05.pt). Both resize as TensorFlow 1
    does, bilinear without antialiasing: that of most published FIDs, but not of clean-fid's.
    A state dict is unpickled by torch-fidelity: take it from a source that you trust.
    """

    scale: ClassVar[str] = "pool features"
    preprocessing: ClassVar[str] = "bilinear to 299 x 299 without antialiasing, (x - 128) / 128"

    kind: Literal["inception"] = "inception"
    network: Literal["torch_fidelity", "torchscript"] = "torch_fidelity"
    dtype: Literal["float32"] = "float32"

    def load(self, device: torch.device) -> Embedder:
        """Read the network. Raises MetricError if the file or torch-fidelity is missing."""
        with self.reading("the Inception network"):
            scripted = self.network == "torchscript"
            network = self._scripted(device) if scripted else self._fidelity(device)

        @torch.inference_mode()
        def features(images: NDArray[np.uint8]) -> torch.Tensor:
            channels_first = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
            return network(channels_first.to(device)).flatten(1)

        return lambda images: batched(features, images, self.batch_size)

    def _scripted(self, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
        network = torch.jit.load(self.path, map_location=device).eval()
        return lambda images: network(images, return_features=True)

    def _fidelity(self, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import (  # noqa: PLC0415
                FeatureExtractorInceptionV3,
            )
        except ImportError:
            raise MetricError(
                "embedder inception: torch-fidelity is not installed; run `pip install "
                "'mitune[quality]'`, or give a traced network and `network: torchscript`"
            ) from None
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(self.path)
        ).to(device)
        return lambda images: network(images)[0]

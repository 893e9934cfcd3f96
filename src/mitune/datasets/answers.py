"""The file of answers to the surveys, handed on as a reference that reads it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from mitune.survey.storage import Answers


class AnswersDataset(AbstractDataset[Answers, Answers]):
    """Written by the survey's server and by imports, not through the catalog."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Answers:
        """The answers. Raises DatasetError if there is no file yet."""
        if not self._exists():
            raise DatasetError(
                f"{self._filepath}: no answers yet; ask people (`kedro survey methods CAMPAIGN`), "
                "or take answers in (`kedro survey import`)"
            )
        return Answers(self._filepath)

    def save(self, data: Answers) -> None:
        """Answers are people's, not a node's."""
        raise DatasetError(f"{self._filepath} is an input; no node may save to it")

    def fingerprint(self) -> str:
        """Name of what is answered, wherever SQLite keeps it."""
        answers = self.load()
        content = answers.table().to_csv() + answers.scores().to_csv()
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.exists()

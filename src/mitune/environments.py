"""Configuration of environments that say only what differs from another one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import OmegaConf

EXTENDS = "extends"


class Environments(OmegaConfigLoader):
    """Kedro's loader; `extends: papers` in an environment's globals.yml puts it on top of another.

    `conf/base` < `conf/papers` < `conf/sd21` < `conf/sdxl`: each is merged onto the one before as
    Kedro merges an environment onto base.
    """

    base_env: str
    env: str | None

    def __getitem__(self, key: str) -> dict[str, Any]:
        """As of the loader.

        Raises
        ------
        MissingConfigException
            As the loader; if the environment that one extends is not there, or extends it in turn.
        """
        chain = [] if key in self else self._chain()
        if len(chain) < 2:
            return super().__getitem__(key)
        merged: dict[str, Any] | None = None
        for below, environment in pairwise([self.base_env, *chain]):
            try:
                pair = self._merged(below, environment, key)
            except MissingConfigException:
                continue  # neither of the two says anything of it
            if merged is None:
                merged = pair
            elif self.merge_strategy.get(key) == "soft":
                merged = dict(OmegaConf.to_container(OmegaConf.merge(merged, pair)))  # type: ignore[arg-type]
            else:
                merged |= pair
        if merged is None:
            raise MissingConfigException(f"no {key} in any of {self.base_env}, {', '.join(chain)}")
        return merged

    def _chain(self) -> list[str]:
        """The environment, after those that it stands on."""
        chain = [self.env or self.default_run_env]
        while below := self._merged(self.base_env, chain[0], "globals").get(EXTENDS):
            if below in chain:
                raise MissingConfigException(
                    f"conf/{chain[0]}/globals.yml, extends: {below} stands on {chain[0]} itself"
                )
            chain.insert(0, below)
        return chain

    def _merged(self, below: str, environment: str, key: str) -> dict[str, Any]:
        """One environment on another, by Kedro's own rules."""
        before = self.base_env, self.env
        self.base_env, self.env = below, environment
        try:
            return super().__getitem__(key)
        finally:
            self.base_env, self.env = before

"""Configuration of environments that say only what differs from another one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mitune.errors import UserError

EXTENDS = "extends"


class Environments(OmegaConfigLoader):
    """Kedro's loader; `extends: papers` in an environment's globals.yml puts it on top of another.

    `conf/base` < `conf/papers` < `conf/sd21` < `conf/sdxl`: each is merged onto the one before as
    Kedro merges an environment onto base.
    """

    base_env: str
    env: str | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # By folder and key: Kedro parses the same files once more for each key and environment.
        self._parsed: dict[tuple[str, str], dict[Path, DictConfig]] = {}
        super().__init__(*arguments, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """As of the loader.

        Raises
        ------
        MissingConfigException
            As the loader; if the environment that one extends extends it in turn.
        UserError
            If there is no such environment; naming the file, and the line if there is one, that is
            no YAML, or the interpolation that names nothing.
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

    def base_files(self, key: str) -> Iterator[tuple[Path, DictConfig]]:
        """Files of base for `key`, or for every key if it is empty, before anything is resolved.

        Of a packed configuration (`--conf-source=conf.tar.gz`) too.
        """
        base = self._get_conf_env_path(self.base_env)
        for name in [key] if key else list(self.config_patterns):
            yield from self._read_dir_configs(base, self.config_patterns[name], name, set()).items()

    def _read_dir_configs(
        self, conf_path: str, patterns: Any, key: str, processed_files: set[Path], *rest: Any
    ) -> dict[Path, DictConfig]:
        """As the loader's, which names no file of what it cannot read, once in its life."""
        place = str(conf_path), key
        if place not in self._parsed:
            self._parsed[place] = self._parse(conf_path, patterns, key, processed_files, *rest)
        processed_files.update(self._parsed[place])
        return dict(self._parsed[place])

    def _parse(self, conf_path: str, patterns: Any, key: str, *rest: Any) -> dict[Path, DictConfig]:
        try:
            found: dict[Path, DictConfig] = super()._read_dir_configs(
                conf_path, patterns, key, *rest
            )
        except MissingConfigException:
            there = ", ".join(self._environments())
            fix = f"--env can be {there}" if there else "no environment is there: --conf-source"
            raise UserError(
                f"environment {Path(conf_path).name!r}: there is no folder {conf_path}; {fix}"
            ) from None
        except Exception as error:  # whichever of the many that yaml and omegaconf raise
            raise _named(Path(conf_path), patterns, error) from None
        return found

    def _merge_and_resolve(
        self, key: str, config_per_file: dict[Path, DictConfig]
    ) -> dict[str, Any]:
        try:
            return dict(super()._merge_and_resolve(key, config_per_file))
        except OmegaConfBaseException as error:
            files = ", ".join(sorted(map(str, config_per_file)))
            field = f"{error.full_key}: " if error.full_key else ""
            reason = str(error).splitlines()[0].rstrip(".")
            raise UserError(f"{files} or --params, {field}{reason}; correct it") from None

    def _environments(self) -> list[str]:
        folders = (folder for folder in Path(self.conf_source).glob("*") if folder.is_dir())
        return sorted(f.name for f in folders if f.name == "local" or list(f.glob("parameters*")))


def _named(folder: Path, patterns: Any, error: Exception) -> UserError:
    """The error of the first file that cannot be read, with its line."""
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        if file.suffix not in (".yml", ".yaml", ".json"):
            continue
        try:
            if not isinstance(OmegaConf.load(file), DictConfig):
                return UserError(f"{file}: a list, where names and values belong; correct it")
        except yaml.MarkedYAMLError as broken:
            line = broken.problem_mark.line + 1 if broken.problem_mark else 1
            return UserError(f"{file}:{line}: not YAML ({broken.problem}); correct it")
        except Exception as broken:
            reason = (str(broken).splitlines() or [type(broken).__name__])[0]
            return UserError(f"{file}: cannot be read ({reason}); correct it")
    reason = " ".join(str(error).split())
    return UserError(f"{folder}: {reason}; correct it")

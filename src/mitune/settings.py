"""Kedro settings of the project."""

from mitune.environments import Environments
from mitune.hooks.at_work import AtWorkHooks
from mitune.hooks.choosing import ChoosingHooks
from mitune.hooks.environment import EnvironmentHooks
from mitune.hooks.lineage import LineageHooks
from mitune.hooks.preflight import PreflightHooks
from mitune.hooks.timing import TimingHooks
from mitune.hooks.tracking import TrackingHooks

HOOKS = (
    EnvironmentHooks(),
    AtWorkHooks(),
    PreflightHooks(),
    ChoosingHooks(),
    TimingHooks(),
    LineageHooks(),
    TrackingHooks(),
)

CONFIG_LOADER_CLASS = Environments
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft", "mlflow": "soft"},
    "config_patterns": {"mlflow": ["mlflow*"]},
}

"""`kedro run`: Kedro's own, with a better word about lists in `--params`."""

from kedro.framework.cli import project

from mitune.cli.params import refusing_lists

run = refusing_lists(project.run)

"""What a campaign has for its surveys: pictures, and people's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol, DatasetError

from mitune.cli.catalogs import run_catalog
from mitune.errors import UserError
from mitune.pipelines.arms import MAX_ROUNDS

if TYPE_CHECKING:
    from mitune.survey.row import Kind
    from mitune.survey.storage import Answers
    from mitune.survey.study import Study


def study_of(kind: Kind, project: Any, campaign: str, env: str | None) -> Study:
    """The survey, its pictures made if they are missing or stale."""
    from mitune.survey.study import Study

    with campaign_catalog(project, env, campaign) as catalog:
        rounds = rounds_in(catalog)
    suffix = f"_r{rounds}" if kind == "methods" and rounds else ""
    name = f"survey_{kind}{suffix}"
    runtime = {"campaign": campaign}
    with KedroSession.create(project.project_path, env=env, runtime_params=runtime) as session:
        session.run(pipeline_names=[name], only_missing_outputs=True)
    with campaign_catalog(project, env, campaign) as catalog:
        settings = catalog.load("params:survey")
        questions = {"metrics": settings.metrics, "methods": settings.methods}[kind].questions
        table = catalog.load(f"survey_{kind}_pictures")
        return Study(kind, campaign, questions, table, settings.groups, settings.consent)


def rounds_in(catalog: CatalogProtocol) -> int:
    """How many rounds the campaign has with pictures of all arms; 0 if it has none."""
    for rounds in range(MAX_ROUNDS, 0, -1):
        if all(map(catalog.exists, pipelines[f"survey_methods_r{rounds}"].inputs())):
            return rounds
    return 0


def answers_in(catalog: CatalogProtocol) -> Answers:
    """The campaign's file of answers, made if it is not there."""
    from mitune.lineage.location import location
    from mitune.survey.storage import Answers

    path = location(catalog.get("survey_answers"))
    assert path is not None
    return Answers(path)


@contextmanager
def campaign_catalog(project: Any, env: str | None, campaign: str) -> Iterator[CatalogProtocol]:
    """The campaign's data; what the user can mend is one line."""
    try:
        with run_catalog(project, env, {"campaign": campaign}) as catalog:
            yield catalog
    except (UserError, DatasetError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None

"""What sampling and scoring will meet on a model's schedule, known before its weights are read."""

from __future__ import annotations

from mitune.backbones import ModelRef
from mitune.backbones.schedule import noise_path, trained_scheduler
from mitune.candidates import Generation
from mitune.diffusion.sampling import build_scheduler
from mitune.errors import UserError


def check_schedule(block: str, settings: Generation, model: ModelRef) -> None:
    """Sampler, steps, and the window and form of every estimate must fit the model's schedule.

    Raises
    ------
    UserError
        Naming the field, which begins with `block`.
    """
    trained = trained_scheduler(model)
    where = f"{block}."
    try:
        scheduler = build_scheduler(settings.sampler, trained)
        most = int(trained.config.num_train_timesteps)
        if settings.steps > most:
            raise UserError(f"steps: {settings.steps}, but the model's schedule has {most}")
        scheduler.set_timesteps(settings.steps)
        path = noise_path(trained)
        where = f"{block}.scoring.path."
        if settings.scoring.path:
            settings.scoring.path.weights_for(path, scheduler.timesteps)
        for name, estimator in settings.scoring.drawn.items():
            where = f"{block}.scoring.{name}."
            estimator.check(path)
    except ValueError as error:
        raise UserError(f"{where}{' '.join(str(error).split())}") from None

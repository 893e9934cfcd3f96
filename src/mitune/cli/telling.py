"""One place that ends every command: in a line for what was expected, else with a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from copy import copy
from typing import Any

import click
from kedro.framework.cli.utils import KedroCliError, LazyGroup

_SHOWN = "mitune.traceback"
_OURS = (
    "unexpected {name}: {text}. This is a fault of mitune, not of what it was given: report it "
    "with the lines above"
)


class TellingGroup(LazyGroup):
    """Commands that say in one line what the user can put right, and where it is.

    `--traceback` shows how it came to that; of a fault of ours that is always shown.
    """

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, if there is one."""
        command = super().get_command(ctx, cmd_name)
        return None if command is None else _telling(command)


def _telling(command: click.Command) -> click.Command:
    told = copy(command)
    told.params = [*command.params, _traceback_option()]
    told.make_context = _telling_step(told, "make_context")  # type: ignore[method-assign]
    told.invoke = _telling_step(told, "invoke")  # type: ignore[method-assign]
    return told


def _traceback_option() -> click.Option:
    def keep(context: click.Context, option: click.Parameter, value: bool) -> None:
        context.meta[_SHOWN] = value

    return click.Option(
        ["--traceback"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=keep,
        help="Show how an error came about.",
    )


def _telling_step(command: click.Command, step: str) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return getattr(type(command), step)(command, *arguments, **options)
        except click.ClickException as error:
            _show(traced=_asked(arguments))
            if isinstance(error, KedroCliError):  # which shows its text as nothing else does
                raise click.ClickException(error.message) from None
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from mitune.hooks.telling import flat, one_line

            line = one_line(error)
            _show(traced=line is None or _asked(arguments))
            line = line or _OURS.format(name=type(error).__name__, text=flat(error))
            raise click.ClickException(line) from None

    return run


def _asked(arguments: tuple[Any, ...]) -> bool:
    context = arguments[0] if arguments else None
    return isinstance(context, click.Context) and bool(context.meta.get(_SHOWN))


def _show(traced: bool) -> None:
    if traced:
        click.echo(traceback.format_exc(), err=True)

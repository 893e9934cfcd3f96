"""What of an error is said in one line, and what keeps its traceback."""

import errno

import pytest
from click.testing import CliRunner
from kedro.io import DatasetError
from kedro_datasets.pandas import ParquetDataset

from mitune.cli.telling import TellingGroup
from mitune.errors import UserError
from mitune.hooks.asked import OTHER_RUNNER
from mitune.hooks.preflight import PreflightHooks
from mitune.hooks.telling import one_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("a: b;\n c"), "a: b; c"),
        (FloatingPointError("loss is NaN"), "loss is NaN"),
        (OSError(errno.ENOSPC, "No space left on device", "x/y"), "x/y: No space left on device; "
         "free some space and run again: what is finished is kept"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "x: Permission denied; give "
         "leave to read and write there, or name another place"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"),
         "x: No such file or directory; restore or correct it"),
        (MemoryError(), "out of memory; lower resources.batch_size or resources.workers"),
        (ValueError("a fault of ours"), None),
        (KeyError("x"), None),
        (RuntimeError("shapes"), None),
        (OSError("no file"), None),
    ],
)  # fmt: skip
def test_one_line_is_for_what_the_user_can_put_right(error: Exception, said: str | None) -> None:
    assert one_line(error) == said


def test_of_a_dataset_its_file_is_named_and_not_all_of_it(tmp_path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError) as caught:
        ParquetDataset(filepath=str(tmp_path / "x.parquet")).load()
    said = one_line(caught.value)
    assert said is not None and said.startswith(f"{tmp_path}/x.parquet: ArrowInvalid: ")
    assert said.endswith("; delete it and run what makes it again") and "load_args" not in said


@pytest.mark.parametrize("runner", ["ThreadRunner", "ParallelRunner"])
def test_a_session_with_another_runner_is_refused(runner: str) -> None:
    with pytest.raises(Exception, match="nodes run one after the other") as caught:
        PreflightHooks().before_pipeline_run(
            run_params={"runner": f"<kedro.runner.{runner} object at 0x1>"},
            pipeline=None,
            catalog=None,
        )
    assert str(caught.value.message).endswith(OTHER_RUNNER)


def _failing(error: Exception) -> TellingGroup:
    import sys
    import types

    import click

    @click.command()
    def fail() -> None:
        raise error

    module = types.ModuleType("tests_failing_command")
    module.fail = fail  # type: ignore[attr-defined]
    sys.modules["tests_failing_command"] = module
    return TellingGroup("x", lazy_subcommands={"fail": "tests_failing_command.fail"})


def test_an_expected_error_has_a_traceback_only_if_asked_for() -> None:
    group = _failing(UserError("file:3: wrong; correct it"))
    plain = CliRunner().invoke(group, ["fail"])
    assert (plain.exit_code, plain.stderr) == (1, "Error: file:3: wrong; correct it\n")
    traced = CliRunner().invoke(group, ["fail", "--traceback"])
    assert traced.exit_code == 1 and "Traceback (most recent call last)" in traced.stderr
    assert traced.stderr.endswith("Error: file:3: wrong; correct it\n")


def test_a_fault_of_ours_is_called_one_and_keeps_its_traceback() -> None:
    done = CliRunner().invoke(_failing(KeyError("latent")), ["fail"])
    assert done.exit_code == 1 and "Traceback (most recent call last)" in done.stderr
    assert done.stderr.endswith(
        "Error: unexpected KeyError: 'latent'. This is a fault of mitune, not of what it was "
        "given: report it with the lines above\n"
    )

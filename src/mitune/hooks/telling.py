"""What of an error is the user's to put right, in one line; the rest is a fault of ours."""

from __future__ import annotations

import errno
import re
import sys
from types import TracebackType

from kedro.config import MissingConfigException
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError
from pydantic import ValidationError

from mitune.errors import UserError

_SAYS_ALL = (UserError, FloatingPointError, MissingConfigException)
# Where Kedro looks for what was asked of it: its ValueErrors there are about names that it was
# given, such as `--nodes`.
_ASKED = {"kedro.pipeline.pipeline", "kedro.framework.session.session"}
_FIX = {
    errno.ENOSPC: "free some space and run again: what is finished is kept",
    errno.EDQUOT: "free some space and run again: what is finished is kept",
    errno.EACCES: "give leave to read and write there, or name another place",
    errno.EPERM: "give leave to read and write there, or name another place",
    errno.EROFS: "let `data` in globals.yml name a place that can be written to",
    errno.ENAMETOOLONG: "shorten the name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}
_ELSE = "restore or correct it"


def one_line(error: BaseException) -> str | None:
    """File, line or field, what is wrong with it and the fix; None for what nobody expected."""
    if isinstance(error, _SAYS_ALL):
        return flat(error)
    if isinstance(error, DatasetError):
        return _of_dataset(error)
    if isinstance(error, OSError) and error.filename and error.errno:
        fix = _FIX.get(error.errno, _ELSE)
        return f"{error.filename}: {error.strerror}; {fix}"
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return "out of memory; lower resources.batch_size or resources.workers"
    if isinstance(error, ValueError) and _raised_in(error.__traceback__) in _ASKED:
        return _of_name(flat(error))
    return None


def flat(error: object) -> str:
    """Its text on one line."""
    return " ".join(str(error).split())


def fields(where: str, error: ValidationError) -> str:
    """`mlflow.yml, enabled: Input should be a valid boolean, not 'perhaps'`, a line each."""
    lines = []
    for found in error.errors():
        unknown = found["type"] == "extra_forbidden"
        reason = "no such name" if unknown else found["msg"].removeprefix("Value error, ")
        given = "" if unknown or isinstance(found["input"], dict) else f", not {found['input']!r}"
        lines.append(f"{where}{'.'.join(map(str, found['loc']))}: {reason}{given}")
    return "\n".join(lines)


def of_parameters(error: ParameterValidationError) -> str:
    """`parameters, finetune.lerning_rate: no such name`, one line for each."""
    found, block, field = [], "", ""
    for line in str(error).splitlines():
        named = re.match(r"- Parameter '(.+?)': (.*)", line)
        if named:
            block, field = named.group(1), ""
            if "validation error" not in named.group(2):
                found.append(f"parameters, {block}: {named.group(2)}")
        elif line.startswith("    "):
            continue  # a link to the documentation of pydantic
        elif line.startswith("  "):
            reason = line.strip().split(" [type=")[0]
            unknown = "Extra inputs are not permitted"
            given = re.search(r"input_value=([^{].*), input_type=", line)
            got = f", not {given.group(1)}" if given and unknown not in reason else ""
            reason = reason.replace(unknown, "no such name").removeprefix("Value error, ")
            found.append(f"parameters, {block}{field}: {reason}{got}")
        elif not line.startswith("Parameter validation failed"):
            field = f".{line.strip()}"
    return "\n".join(found) or flat(error)


def _of_dataset(error: DatasetError) -> str:
    """Kedro puts all that it knows of a dataset before the reason; its file is enough."""
    cause, install = error.__cause__, str(error).find(". Please install")
    if install > 0:
        return f"{flat(str(error)[:install])}; correct its type in the catalog"
    if isinstance(cause, DatasetError) and cause.__cause__ is not None:
        return _of_dataset(cause)  # the catalog has put a name before it
    if cause is None or isinstance(cause, DatasetError):
        return flat(error)
    if isinstance(cause, UserError):
        return flat(error) if "Failed while" not in str(error) else flat(cause)
    described = re.search(r"\b(?:file)?path=(?:PurePosixPath\()?'(.+?)'", str(error))
    if described is None:
        return flat(error)
    reason = (str(cause).splitlines() or [""])[0]
    if isinstance(cause, OSError) and cause.errno:
        reason, fix = str(cause.strerror), _FIX.get(cause.errno, _ELSE)
    else:
        fix = "delete it and run what makes it again"
    return f"{described.group(1)}: {type(cause).__name__}: {reason}; {fix}"


def _of_name(said: str) -> str:
    pipeline = re.match(r"Failed to find the pipeline named ('.*?')\.", said)
    if pipeline:
        near = said.partition("Did you mean one of these instead? ")[2]
        hint = f"did you mean {near}?" if near else "`kedro registry list` lists them"
        return f"no pipeline is named {pipeline.group(1)}; {hint}"
    first = said.split(". ", maxsplit=1)[0].rstrip(".")
    return f"{first}; `kedro registry describe PIPELINE` lists nodes, `kedro status` too"


def _is_torch_out_of_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")  # who has not imported it has none of its errors
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _raised_in(traceback: TracebackType | None) -> str:
    """Name of the module that raised."""
    name = ""
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        traceback = traceback.tb_next
    return name

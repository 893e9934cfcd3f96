"""What a function's code is: every project module it can reach, without comments."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "mitune"


@cache
def digests(module: str) -> dict[str, str]:
    """Digest of `module` and of every module of the project that it imports, however deep.

    Comments, docstrings and layout do not count. Imports inside functions and for type checkers
    do: the set may be too large, never too small.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        tree = _parse(name)
        if tree is None:
            continue
        found[name] = _digest(tree)
        waiting.extend(_imported(tree))
        waiting.extend(_parents(name))
    return dict(sorted(found.items()))


def source(module: str) -> Path | None:
    """The module's file; None if there is no such module (a name imported from one)."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _parse(module: str) -> ast.Module | None:
    file = source(module)
    return None if file is None else ast.parse(file.read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What is imported from a package may be one of its modules.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (n for n in names if n == PACKAGE or n.startswith(f"{PACKAGE}."))


def _parents(module: str) -> Iterator[str]:
    """Packages, whose `__init__` runs first."""
    parts = module.split(".")
    return (".".join(parts[:i]) for i in range(1, len(parts)))


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:] or [ast.Pass()]

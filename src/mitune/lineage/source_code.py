"""What a function's code is: every project module it can reach, without comments."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import BaseModel

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


def computing(settings: BaseModel, *modules: str) -> dict[str, str]:
    """Digests of the code that numbers made under `settings` hang on, by way of `modules`.

    Narrower than `digests`: packages are registries, so of theirs only what `settings` holds or a
    module imports by name counts, where it is defined. A new method changes no number of another.
    """
    return _computing(frozenset({*modules, *_chosen(settings)}))


@cache
def _computing(modules: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or _is_package(name):
            continue
        tree = _parse(name)
        if tree is None:
            waiting.extend(_passed_on(name))
            continue
        found[name] = _digest(tree)
        waiting.extend(_imported(tree))
    return dict(sorted(found.items()))


@cache
def digest(module: str) -> str:
    """Of one module alone; "" if there is no such module."""
    tree = _parse(module)
    return "" if tree is None else _digest(tree)


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


def _chosen(value: object) -> Iterator[str]:
    """Modules of the classes that nested settings are of."""
    if isinstance(value, BaseModel):
        yield type(value).__module__
        for _, inner in value:
            yield from _chosen(inner)


def _is_package(module: str) -> bool:
    file = source(module)
    return file is not None and file.name == "__init__.py"


def _passed_on(name: str) -> Iterator[str]:
    """Where a name comes from that a package imports only to pass it on."""
    package, _, wanted = name.rpartition(".")
    tree = _parse(package) if _is_package(package) else None
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.name for alias in node.names]
            if wanted in names:
                yield from (node.module, f"{node.module}.{wanted}")


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

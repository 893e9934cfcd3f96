"""What computes: the project's modules that a function and its settings hang on.

Packages are registries. Importing a name from one counts where that name is defined, and what else
the package lists does not: a new method changes no number of another. Comments, docstrings and
layout never count. Imports inside functions and for type checkers do: what counts may be too much,
never too little.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel

PACKAGE = "mitune"


def computing(settings: object, *modules: str) -> dict[str, str]:
    """Digests of the code that numbers made under `settings` hang on, by way of `modules`.

    Parameters
    ----------
    settings
        Models of pydantic, or collections of them, however nested: where their classes are defined
        counts. That is how the chosen entry of a registry does.
    *modules
        Names of modules, such as that of a node's function.

    Returns
    -------
    dict
        By module, however deep; by `package.name` for what a package defines itself.
    """
    return _computing(frozenset({*modules, *_chosen(settings)}))


@cache
def _computing(names: frozenset[str]) -> dict[str, str]:
    digests: dict[str, str] = {}
    waiting, seen = list(names), set(names)
    while waiting:
        name = waiting.pop()
        digest, imported = _part(name)
        if digest:
            digests[name] = digest
        waiting.extend(imported - seen)
        seen |= imported
    return dict(sorted(digests.items()))


def digest(name: str) -> str:
    """What `computing` says of one name alone; "" if there is no such thing."""
    return _part(name)[0] or ""


@cache
def _part(name: str) -> tuple[str | None, frozenset[str]]:
    """Digest of a module, or of what a package says about a name; and what that imports.

    No digest: it only imports, or is a name that a module defines, and then the module counts.
    """
    package, _, short = name.rpartition(".")
    if source(name) is not None:
        where, statements = name, _parse(name).body
    elif _is_package(package):
        where, statements = package, _defining(package, short)
    else:
        return None, frozenset()
    computes = [s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom)]
    imported = frozenset(_imported(statements, where))
    return (_digest(computes) if computes else None), imported


@cache
def source(module: str) -> Path | None:
    """The module's file; None if there is no such module (a name imported from one).

    Nothing is imported to find it: packages would bring torch and diffusers.
    """
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*inner)
    files = (path / "__init__.py", path.parent / f"{path.name}.py")
    return next((file for file in files if file.is_file()), None)


def _parse(module: str) -> ast.Module:
    file = source(module)
    assert file is not None
    return ast.parse(file.read_text(encoding="utf-8"))


def _chosen(value: object) -> Iterator[str]:
    """Modules of the classes that nested settings are of."""
    if isinstance(value, BaseModel):
        if _is_ours(type(value).__module__):
            yield type(value).__module__
        value = dict(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _chosen(inner)


def _is_ours(module: str) -> bool:
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


def _is_package(module: str) -> bool:
    file = source(module)
    return file is not None and file.name == "__init__.py"


def _defining(package: str, name: str) -> list[ast.stmt]:
    """What a package says about one of its names, and about those that the saying uses.

    Of a type alias nothing: it lists what settings may hold, and what they do hold counts. Of a
    name that cannot be found everything: the package makes it by means that are not seen here.
    """
    statements = _statements(_parse(package).body)
    by_name: dict[str, list[ast.stmt]] = {}
    for statement in statements:
        for defined in _defined(statement):
            by_name.setdefault(defined, []).append(statement)
    if name not in by_name:
        return statements
    needed: dict[ast.stmt, None] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for statement in by_name.pop(current, ()):
            if _is_alias(statement):
                continue
            if isinstance(statement, ast.ImportFrom):
                needed[_only(statement, current)] = None
                continue
            needed[statement] = None
            waiting.extend(n.id for n in ast.walk(statement) if isinstance(n, ast.Name))
    return list(needed)


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Those of a module, and of its branches such as `if TYPE_CHECKING:`."""
    statements: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If):
            statements += _statements([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            handled = [s for handler in statement.handlers for s in handler.body]
            rest = [*handled, *statement.orelse, *statement.finalbody]
            statements += _statements([*statement.body, *rest])
        else:
            statements.append(statement)
    return statements


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement of a module binds."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in statement.names)
    elif isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _is_alias(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation).endswith(
        "TypeAlias"
    )


def _only(statement: ast.ImportFrom, name: str) -> ast.ImportFrom:
    names = [alias for alias in statement.names if (alias.asname or alias.name) == name]
    return ast.ImportFrom(statement.module, names, statement.level)


def _imported(statements: list[ast.stmt], where: str) -> Iterator[str]:
    """Modules, packages that are used as a whole, and names of packages."""
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            yield from _named(node, where)


def _named(node: ast.ImportFrom, where: str) -> Iterator[str]:
    module = node.module or ""
    if node.level:
        package = where if _is_package(where) else where.rpartition(".")[0]
        module = importlib.util.resolve_name("." * node.level + module, package)
    if not _is_ours(module):
        return
    if any(alias.name == "*" for alias in node.names) or not _is_package(module):
        yield module
    else:
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _digest(statements: list[ast.stmt]) -> str:
    tree = ast.Module(statements, [])
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

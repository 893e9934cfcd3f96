"""One name for what is in a file or a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from functools import lru_cache
from pathlib import Path


def content_digest(path: Path, suffixes: Container[str] | None = None) -> str | None:
    """Names and contents of all files, or of those with one of `suffixes`; None if there is none.

    A file is read once per process as long as its size and time of change stay the same: a
    checkpoint has gigabytes and every stage names it.
    """
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    combined = hashlib.sha256()
    counted = [file for file in files if suffixes is None or file.suffix in suffixes]
    for file in counted:
        name = file.name if file == path else str(file.relative_to(path))
        stamp = file.stat()
        combined.update(name.encode())
        combined.update(_digest(file, stamp.st_size, stamp.st_mtime_ns))
    return combined.hexdigest()[:16] if counted else None


@lru_cache(maxsize=4096)
def _digest(file: Path, size: int, changed: int) -> bytes:
    checksum = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            checksum.update(block)
    return checksum.digest()

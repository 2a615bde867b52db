"""Files that commands write where people ask for them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from meshrelay.errors import Refusal


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file for its owner alone, in one step: never half of it, and never over an older one before it is whole.

    Raises Refusal.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise Refusal(
            f"cannot write {path}: {error.strerror or error}", hint="choose a folder or a stick with room"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write these bytes as :func:`whole` does."""
    with whole(path) as file:
        file.write(data)

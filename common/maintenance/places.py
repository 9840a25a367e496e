"""Where archives lie: a folder of this machine, or an address of a store (s3://, gs:// …) by fsspec, which is an optional package."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from common.errors import InputError
from common.files import file_sha256, sync_folder
from common.text import one_line

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "memory": "fsspec"}
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_FOREIGN = {"botocore.exceptions": "BotoCoreError", "aiohttp": "ClientError", "google.auth.exceptions": "GoogleAuthError"}
_SECRETS = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)


class Place(Protocol):
    """A folder of files, wherever it is. Everything raises InputError or OSError in words for a person."""

    def at(self, name: str) -> str:
        """A file's whole name, as a person types it."""

    def sizes(self) -> dict[str, int]:
        """The files that are there, by name, and their bytes; none where there is no such folder yet."""

    def opened(self, name: str) -> Any:
        """A file to be read, for a with statement."""

    def put(self, path: Path, name: str) -> None:
        """Bring a file of this machine there, and read it again."""


def is_address(text: object) -> bool:
    """Whether something that was typed is the address of a store, and no folder."""
    return bool(_ADDRESS.match(str(text)))


def place(typed: str | Path) -> Place:
    """The folder that was typed. Raises InputError where the package for its kind is not there."""
    return Store(str(typed)) if is_address(typed) else Folder(Path(typed))


def split(typed: str) -> tuple[Place, str]:
    """The place and the name of a file that was typed."""
    folder, _, name = typed.rpartition("/")
    if is_address(typed):
        return Store(folder), name
    return Folder(Path(typed).expanduser().absolute().parent), Path(typed).name


class Folder:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def at(self, name: str) -> str:
        return str(self._folder / name)

    def sizes(self) -> dict[str, int]:
        if not self._folder.is_dir():
            return {}
        return {path.name: path.stat().st_size for path in self._folder.iterdir() if path.is_file()}

    def opened(self, name: str) -> BinaryIO:
        return open(self._folder / name, "rb")

    def put(self, path: Path, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{name}.part"
        try:
            part.unlink(missing_ok=True)
            try:
                os.link(path, part)
            except OSError:  # another disk
                shutil.copyfile(path, part)
                with open(part, "rb+") as file:
                    os.fsync(file.fileno())
                _compare(self.at(name), file_sha256(part), path)
            os.replace(part, self._folder / name)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(self._folder)


class Store:
    """A folder at an address. Keys come from the environment, as the store's own tools read them, and are never shown."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        scheme, _, rest = self._url.partition("://")
        if "@" in rest.partition("/")[0]:
            raise InputError(f"{scheme}://… holds a user name or key; keys belong into the environment (such as AWS_ACCESS_KEY_ID)")
        package = PACKAGES.get(scheme.lower(), "fsspec")
        try:
            from fsspec.core import url_to_fs

            with self._speaking():
                self._files, self._path = url_to_fs(self._url, skip_instance_cache=scheme.lower() != "memory", use_listings_cache=False)
        except ImportError:
            raise InputError(f"{self._url}: needs the package {package}; type: .venv/bin/python -m pip install {package}") from None

    def at(self, name: str) -> str:
        return f"{self._url}/{name}"

    def sizes(self) -> dict[str, int]:
        with self._speaking():
            try:
                found = self._files.ls(self._path, detail=True)
            except FileNotFoundError:
                return {}
            return {one["name"].rpartition("/")[2]: one["size"] for one in found if one["type"] == "file"}

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        with self._speaking(), self._files.open(f"{self._path}/{name}", "rb") as file:
            yield file

    def put(self, path: Path, name: str) -> None:
        target = f"{self._path}/{name}"
        with self._speaking():
            self._files.put_file(str(path), target)
            with self._files.open(target, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        _compare(self.at(name), digest, path)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Whatever the store's own package raises, in one line without a secret."""
        try:
            yield
        except _errors() as error:
            raise InputError(f"{self._url}: {_without_secrets(one_line(str(error) or type(error).__name__, 300))}") from error


def _errors() -> tuple[type[Exception], ...]:
    """What stores raise, as far as their packages are loaded."""
    return (OSError, ValueError, *(getattr(sys.modules[module], name) for module, name in _FOREIGN.items() if module in sys.modules))


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if _SECRETS.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    return text


def _compare(where: str, digest: str, path: Path) -> None:
    if digest != file_sha256(path):
        raise OSError(f"{where}: does not hold what was written; it was not believed. The same command tries again")

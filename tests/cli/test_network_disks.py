"""A results folder on a network file system is told, once a command, with what to do; any other folder is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from common import cli, mounts
from common.cli import folder as folders
from common.mounts import network_kind

MOUNTS = """\
/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb /home/ann/local xfs rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
host:/x /mnt/ssh fuse.sshfs rw 0 0
C:\\134 /mnt/c 9p rw 0 0
x /mnt/ntfs fuse.ntfs-3g rw 0 0
auto /net autofs rw 0 0
nas:/v /net/v nfs rw 0 0
/dev/sdc /media/both vfat rw 0 0
nas:/b /media/both nfs rw 0 0
//nas/\\303\\234 /mnt/\\303\\234ber smb3 rw 0 0
half a
"""
KINDS = [
    ("/home/ann/study/results", "nfs4"), ("/home", "nfs4"), ("/home/ann/local/results", ""), ("/homes/ann", ""),
    ("/mnt/my share/results", "cifs"), ("/mnt/ssh/r", "fuse.sshfs"), ("/mnt/c/Users/ann", "9p"), ("/mnt/ntfs/r", ""),
    ("/net/v/r", "nfs"), ("/net/w", ""), ("/media/both/r", "nfs"), ("/mnt/\u00dcber/r", "smb3"), ("/", ""), ("/srv", ""),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "kind"), KINDS)
def test_the_longest_mount_point_decides(folder: str, kind: str) -> None:
    """Not the first, not a likeness of the name; escapes are read; of two at one point the last."""
    assert network_kind(MOUNTS.encode().decode("latin-1"), Path(folder)) == kind


def test_a_sandbox_and_no_mounts() -> None:
    """The root of a sandbox is its own disk; where nothing is told, nothing is."""
    assert network_kind("none / 9p rw 0 0\n", Path("/work")) == ""
    assert network_kind("nas:/root / nfs rw 0 0\n", Path("/work")) == "nfs"
    assert network_kind("", Path("/work")) == ""


def test_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """One warning on stderr that names the folder, the kind and the way out; the command goes on."""
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path))
    monkeypatch.setattr(folders, "_told", set())
    (tmp_path / "mounts").write_text(f"nas:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mounts")
    assert cli.main(cli.SCRIPTS["openai"], ["--list", "--json"]) == 0
    said = capsys.readouterr().err
    assert said.count("warning: ") == said.count("network file system (nfs4)") == said.count(str(tmp_path)) == 1
    assert "--results" in said

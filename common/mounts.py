"""Whether a folder lies on a network file system, by what the system says of its mounts."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")  # Linux; other systems tell elsewhere
_NETWORK = {
    "nfs", "nfs4", "cifs", "smb", "smbfs", "smb2", "smb3", "ncpfs", "afs", "coda", "9p", "davfs", "webdav", "ceph", "lustre", "beegfs",
    "gpfs", "glusterfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "drvfs",
}  # fmt: skip
_FUSE = re.compile(r"fuse\.(sshfs|s3fs|rclone|gcsfuse|glusterfs|ceph-fuse|ceph|davfs2?|smbnetfs|goofys|blobfuse2?|mount-s3|nfs|juicefs)$")
_OCTAL = re.compile(r"\\([0-7]{3})")


def network_kind(mounts: str, folder: Path) -> str:
    """The kind of the network file system that an absolute folder lies on ("nfs4", "fuse.sshfs" …), by a text as that of
    /proc/mounts; "" where it is none. The longest mount point that holds the folder decides, of several there the last."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        cells = line.split(" ")
        if len(cells) < 3:
            continue
        point = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), cells[1]).encode("latin-1", "replace").decode("utf-8", "replace"))
        if len(point.parts) >= best and folder.is_relative_to(point):
            best, kind = len(point.parts), cells[2].lower()
    if kind == "9p" and best == 1:
        return ""  # the root of a sandbox: its own disk
    return kind if kind in _NETWORK or _FUSE.match(kind) else ""


def warning_for(folder: Path) -> str:
    """A warning where a results folder lies on a network file system; "" where it does not, or the system does not tell."""
    try:
        mounts = MOUNTS.read_text(encoding="latin-1")
        kind = network_kind(mounts, folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return ""
    if not kind:
        return ""
    return (
        f"{folder} is on a network file system ({kind}), where locks are not safe: let one machine alone use it, or choose a folder "
        f"on a local disk with --results or RESULTS_DIR"
    )

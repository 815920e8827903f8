"""What this machine says of itself: who has a port, what a folder lies on."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

# File locks, and with them SQLite, can't be relied on across a network.
NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"}
)
_LISTENING = "0A"  # of /proc/net/tcp


def network_filesystem(path: Path, mounts: str | None = None) -> str | None:
    r"""Return what kind of network file system a path is on; None: on none.

    Args:
        path: need not exist.
        mounts: in the form of ``/proc/mounts``; None reads that, where there is one.

    >>> mounts = "/dev/sda1 / ext4 rw 0 0\nsrv:/x /srv/my\\040data nfs4 rw 0 0"
    >>> network_filesystem(Path("/srv/my data/bridge.db"), mounts)
    'nfs4'
    >>> network_filesystem(Path("/srv/bridge.db"), mounts)
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text("utf-8", "replace")
        except OSError:
            return None
    best, kind = "", ""
    whole = str(path if path.is_absolute() else path.resolve())
    for line in mounts.splitlines():
        _, place, found, *_ = line.replace("\\040", "\0").split()
        place = place.replace("\0", " ")
        is_above = whole == place or whole.startswith(place.rstrip("/") + "/")
        if is_above and len(place) >= len(best):
            best, kind = place, found
    return kind if kind in NETWORK_FILESYSTEMS else None


def why_not_bound(host: str, port: int) -> OSError | None:
    """Try to listen, and stop at once; return why that failed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            # As waitress does: what is left of an old connection does not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(1)
    except OSError as err:
        return err
    return None


def holder_of(port: int) -> str | None:
    """Return who listens on a port, as far as this user may know: ``process 4711``.

    Only on Linux, and of other users' programs only for root.
    """
    inodes = {
        inode
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for inode in _listening(Path(table), port)
    }
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        if sockets & _open_files(process):
            with suppress(OSError):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                return f"process {process.name}, {name}"
    return None


def _open_files(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):  # another user's
        for link in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found.add(str(link.readlink()))
    return found


def _listening(table: Path, port: int) -> set[str]:
    """Return the inodes of the sockets that listen on a port."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return set()
    ending = f":{port:04X}"
    return {r[9] for r in rows if r[1].endswith(ending) and r[3] == _LISTENING}

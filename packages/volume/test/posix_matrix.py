"""Does every operation on every kind of object, as root and as others, in the empty directory given as argument, and prints
what came of it. A test holds what a volume prints against what the file system below it prints."""
import errno, itertools, os, socket, stat, sys

os.chdir(sys.argv[1])
os.umask(0o022)
KINDS = ["missing", "file", "directory", "full", "link", "dirlink", "dangling", "loop", "fifo", "socket"]


def make(kind, path):
    if kind == "file":
        with open(path, "w") as file:
            file.write("content")
    elif kind in ("directory", "full"):
        os.mkdir(path)
        if kind == "full":
            make("file", path + "/inside")
    elif kind == "link":
        os.symlink("target", path)
    elif kind == "dirlink":
        os.symlink("targetdir", path)
    elif kind == "dangling":
        os.symlink("nowhere", path)
    elif kind == "loop":
        os.symlink(os.path.basename(path), path)
    elif kind == "fifo":
        os.mkfifo(path, 0o644)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.close()


def clear(path):
    for name in os.listdir(path):
        at = os.path.join(path, name)
        if os.path.isdir(at) and not os.path.islink(at):
            os.chmod(at, 0o700)
            clear(at)
            os.rmdir(at)
        else:
            os.unlink(at)


def look(path):
    """What can be seen of an object, without what file systems may choose."""
    try:
        s = os.lstat(path)
    except OSError as error:
        return errno.errorcode[error.errno]
    size = "-" if stat.S_ISDIR(s.st_mode) else s.st_size
    return f"{s.st_mode:o}/{s.st_nlink}/{s.st_uid}/{s.st_gid}/{size}"


def tree(path):
    return " ".join(f"{name}={look(os.path.join(path, name))}" for name in sorted(os.listdir(path)))


def attempt(call):
    try:
        value = call()
        if isinstance(value, int) and not isinstance(value, bool) and value > 2:
            os.close(value)
            value = "fd"
        return repr(value)
    except OSError as error:
        return errno.errorcode[error.errno]


def as_user(uid, call):
    """Runs the call as another user and gives its result."""
    if uid == 0:
        return attempt(call)
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        os.write(send, attempt(call).encode())
        os._exit(0)
    os.close(send)
    answer = os.read(receive, 1000).decode()
    os.close(receive)
    os.waitpid(child, 0)
    return answer


def times(path):
    try:
        s = os.lstat(path)
        return s.st_mtime_ns, s.st_ctime_ns
    except OSError:
        return None


def case(title, kind, call, other="missing", uid=0, parent=0o755, owner=0, mode=None):
    """One operation in a fresh directory `w` that holds `a` of `kind`, `b` of `other`, `target` and `targetdir`."""
    if os.path.exists("w"):
        os.chmod("w", 0o700)
        clear("w")
        os.rmdir("w")
    os.mkdir("w")
    make("file", "w/target")
    make("directory", "w/targetdir")
    make(kind, "w/a")
    make(other, "w/b")
    if mode is not None and kind in ("file", "directory", "fifo"):
        os.chmod("w/a", mode)
    if owner and kind != "missing":
        os.chown("w/a", owner, owner, follow_symlinks=False)
    os.chmod("w", parent)
    for path in ("w", "w/a", "w/target"):
        if kind != "missing" or path != "w/a":
            os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)
    before = {path: times(path) for path in ("w", "w/a", "w/target")}
    result = as_user(uid, call)
    os.chmod("w", 0o755)
    changed = ",".join(
        f"{path}:{'m' if was and now and was[0] != now[0] else ''}{'c' if was and now and was[1] != now[1] else ''}"
        for path, was in before.items()
        if path != "w"
        for now in [times(path)]
    )
    moved = before["w"][0] != times("w")[0]
    print(title, kind, other, uid, oct(parent), owner, mode, "->", result, tree("w"), changed, "parent" if moved else "")


O = os
FLAGS = {
    "r": O.O_RDONLY | O.O_NONBLOCK, "w": O.O_WRONLY | O.O_NONBLOCK, "rw": O.O_RDWR | O.O_NONBLOCK,
    "creat": O.O_RDWR | O.O_CREAT | O.O_NONBLOCK, "excl": O.O_RDWR | O.O_CREAT | O.O_EXCL,
    "trunc": O.O_WRONLY | O.O_TRUNC | O.O_NONBLOCK, "dir": O.O_RDONLY | O.O_DIRECTORY,
    "nofollow": O.O_RDONLY | O.O_NOFOLLOW | O.O_NONBLOCK, "append": O.O_WRONLY | O.O_APPEND | O.O_NONBLOCK,
    "path": O.O_PATH, "tmpfile": O.O_RDWR | O.O_TMPFILE,
}
CALLS = {f"open-{name}": (lambda flags: lambda: os.open("w/a", flags, 0o666))(flags) for name, flags in FLAGS.items()}
CALLS |= {
    "slash": lambda: os.open("w/a/", os.O_RDONLY | os.O_NONBLOCK),
    "below": lambda: os.open("w/a/x", os.O_RDWR | os.O_CREAT, 0o644),
    "mkdir": lambda: os.mkdir("w/a"), "mkdir-slash": lambda: os.mkdir("w/a/"), "rmdir": lambda: os.rmdir("w/a"),
    "rmdir-dot": lambda: os.rmdir("w/a/."), "unlink": lambda: os.unlink("w/a"), "symlink": lambda: os.symlink("x", "w/a"),
    "mkfifo": lambda: os.mkfifo("w/a"), "mknod": lambda: os.mknod("w/a", 0o644 | stat.S_IFREG),
    "mknod-device": lambda: os.mknod("w/a", 0o644 | stat.S_IFCHR, os.makedev(1, 3)),
    "truncate": lambda: os.truncate("w/a", 3), "extend": lambda: os.truncate("w/a", 9000),
    "truncate-far": lambda: os.truncate("w/a", -1), "chmod": lambda: os.chmod("w/a", 0o6751),
    "chmod-sticky": lambda: os.chmod("w/a", 0o1777), "chown": lambda: os.chown("w/a", 1000, 1000),
    "lchown": lambda: os.lchown("w/a", 1000, 1000), "chgrp": lambda: os.chown("w/a", -1, 1000),
    "chown-same": lambda: os.chown("w/a", -1, -1), "utime": lambda: os.utime("w/a"),
    "utime-set": lambda: os.utime("w/a", ns=(5, 7)), "readlink": lambda: os.readlink("w/a"),
    "access": lambda: (os.access("w/a", os.R_OK), os.access("w/a", os.W_OK), os.access("w/a", os.X_OK)),
    "list": lambda: sorted(os.listdir("w/a")), "setxattr": lambda: os.setxattr("w/a", "user.k", b"v"),
    "setxattr-trusted": lambda: os.setxattr("w/a", "trusted.k", b"v"),
    "getxattr": lambda: os.getxattr("w/a", "user.k"), "link-long": lambda: os.link("w/a", "w/" + "n" * 255),
    "rename-long": lambda: os.rename("w/a", "w/" + "n" * 256), "rename-self": lambda: os.rename("w/a", "w/a"),
    "rename-below": lambda: os.rename("w/a", "w/a/x"), "rename-up": lambda: os.rename("w/a", "a-up"),
    "rename-dot": lambda: os.rename("w/a", "w/."), "link-follow": lambda: os.link("w/a", "w/c", follow_symlinks=True),
}
for (title, call), kind in itertools.product(CALLS.items(), KINDS):
    case(title, kind, call)
    if os.path.lexists("a-up"):
        make("missing", "")
        os.rename("a-up", "w/from-up")
PAIRS = {
    "rename": lambda: os.rename("w/a", "w/b"), "link": lambda: os.link("w/a", "w/b", follow_symlinks=False),
    "rename-slash": lambda: os.rename("w/a", "w/b/"), "rename-into": lambda: os.rename("w/a", "w/b/x"),
}
for (title, call), kind, other in itertools.product(PAIRS.items(), KINDS, KINDS):
    case(title, kind, call, other)
OTHERS = [
    "open-r", "open-w", "open-creat", "open-trunc", "unlink", "rmdir", "mkdir", "symlink", "chmod", "chmod-sticky", "chown",
    "chgrp", "chown-same", "utime", "utime-set", "truncate", "extend", "access", "list", "below", "rename-up", "setxattr",
    "mknod-device", "link-follow",
]
for title, kind, parent, owner, mode in itertools.product(
    OTHERS, ["missing", "file", "directory"], [0o777, 0o1777, 0o755, 0o711, 0o700, 0o722], [0, 1000, 1001], [0o644, 0o600, 0o066]
):
    case(title, kind, CALLS[title], uid=1000, parent=parent, owner=owner, mode=mode)
for kind, other, parent, owner in itertools.product(["file", "directory"], ["missing", "file", "directory"], [0o777, 0o1777], [0, 1000]):
    case("rename", kind, PAIRS["rename"], other, 1000, parent, owner)
    case("link", kind, PAIRS["link"], other, 1000, parent, owner)


def writes(path):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, b"x")
    os.close(fd)


for mode, (title, call) in itertools.product(
    [0o6777, 0o6767, 0o2777, 0o4755, 0o2767],
    {
        "write": lambda: writes("w/a"), "truncate": lambda: os.truncate("w/a", 1), "chown": lambda: os.chown("w/a", -1, 1000),
        "chmod": lambda: os.chmod("w/a", 0o2777), "fallocate": lambda: os.posix_fallocate(os.open("w/a", os.O_WRONLY), 0, 99),
        "trunc": lambda: os.open("w/a", os.O_WRONLY | os.O_TRUNC),
    }.items(),
):
    for uid, owner in ((0, 0), (1000, 1000), (1000, 1001)):
        case(f"privileges-{title}", "file", call, uid=uid, owner=owner, mode=mode)
# Names, paths and links at their limits.
case("name-255", "missing", lambda: os.mkdir("w/" + "x" * 255))
case("name-256", "missing", lambda: os.mkdir("w/" + "x" * 256))
case("path-4095", "missing", lambda: os.stat("w/" + "./" * 2046 + "a"))
case("path-4096", "missing", lambda: os.stat("w/" + "./" * 2050))
case("target-4095", "missing", lambda: os.symlink("t" * 3800, "w/a"))
case("target-empty", "missing", lambda: os.symlink("", "w/a"))
case("target-4096", "missing", lambda: os.symlink("t" * 4096, "w/a"))


def chain(length):
    for i in range(length):
        os.symlink(f"l{i + 1}", f"w/l{i}")
    make("file", f"w/l{length}")
    return os.stat("w/l0").st_size


case("links-40", "missing", lambda: chain(40))
case("links-41", "missing", lambda: chain(41))

"""
What programs expect of a file system, through the kernel: `posix.py DIRECTORY SEED STEPS [no-holes]` on an empty directory. Without
holes, SEEK_DATA and SEEK_HOLE say that all of a file is data, as they may.
"""
import ctypes, errno, fcntl, mmap, os, random, stat, subprocess, sys, tempfile, threading, time

os.chdir(sys.argv[1])
HOLES = "no-holes" not in sys.argv
os.umask(0o022)
libc = ctypes.CDLL(None, use_errno=True)


def fails(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except OSError as error:
        assert error.errno == code, (errno.errorcode[error.errno], errno.errorcode[code])
        return
    raise AssertionError(f"{errno.errorcode[code]} expected")


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


# Names, links and directories.
os.mkdir("d")
fails(errno.EEXIST, os.mkdir, "d")
assert os.stat("d").st_nlink == 2
os.mkdir("d/e")
assert os.stat("d").st_nlink == 3
fails(errno.ENOTEMPTY, os.rmdir, "d")
write("d/f", b"one")
os.link("d/f", "d/g")
assert os.stat("d/f").st_nlink == 2
os.symlink("f", "d/s")
assert read("d/s") == b"one" and os.readlink("d/s") == "f"
fails(errno.ELOOP, os.open, "d/s", os.O_RDONLY | os.O_NOFOLLOW)
os.rename("d/f", "d/h")
fails(errno.ENOENT, os.stat, "d/f")
write("d/i", b"two")
os.rename("d/i", "d/h")
assert read("d/h") == b"two" and read("d/g") == b"one" and os.stat("d/g").st_nlink == 1
os.rename("d/e", "e")
assert os.stat("d").st_nlink == 2
fails(errno.EINVAL, os.rename, "d", "d/x")
fails(errno.ENOTDIR, os.rename, "e", "d/h")
fails(errno.EISDIR, os.rename, "d/h", "e")
os.rmdir("e")
write("n" * 255, b"long")
fails(errno.ENAMETOOLONG, write, "n" * 256, b"")
raw = b"\xff\xfe not utf-8"
write(raw, b"raw")
assert raw in os.listdir(b".") and read(raw) == b"raw"
os.mkfifo("pipe")
assert stat.S_ISFIFO(os.stat("pipe").st_mode)
AT_FDCWD, NOREPLACE, EXCHANGE = -100, 1, 2
write("x1", b"1")
write("x2", b"22")
assert libc.renameat2(AT_FDCWD, b"x1", AT_FDCWD, b"x2", NOREPLACE) == -1 and ctypes.get_errno() == errno.EEXIST
assert libc.renameat2(AT_FDCWD, b"x1", AT_FDCWD, b"x2", EXCHANGE) == 0
assert read("x1") == b"22" and read("x2") == b"1"

# Files without a name, and appending.
fd = os.open("gone", os.O_RDWR | os.O_CREAT)
os.unlink("gone")
os.write(fd, b"still here")
assert os.pread(fd, 100, 0) == b"still here" and os.fstat(fd).st_nlink == 0
os.close(fd)
with open("log", "ab", buffering=0) as a, open("log", "ab", buffering=0) as b:
    for i in range(100):
        (a, b)[i % 2].write(b"%03d\n" % i)
assert read("log") == b"".join(b"%03d\n" % i for i in range(100))

# Files that are in use while their names come and go: no request tells of an open or a close.
write("held", b"old" * 1000)
one, two = os.open("held", os.O_RDWR), os.open("held", os.O_RDONLY)
write("next", b"new")
os.rename("next", "held")
assert read("held") == b"new" and os.pread(one, 3, 0) == b"old" and os.fstat(two).st_nlink == 0
os.pwrite(one, b"more", 3000)
os.ftruncate(one, 3002)
os.fsync(one)
os.posix_fadvise(two, 0, 0, os.POSIX_FADV_DONTNEED)
assert os.pread(two, 5000, 2998) == b"ldmo"
AT_SYMLINK_FOLLOW = 0x400
assert libc.linkat(-1, b"/proc/self/fd/%d" % one, AT_FDCWD, b"again", AT_SYMLINK_FOLLOW) == -1
assert ctypes.get_errno() == errno.ENOENT
os.close(one)
assert os.pread(two, 3, 0) == b"old"
os.close(two)


def files_in_use():
    """Waits until the volume has no more files than there are names of, as the last close reaches it a moment later."""
    named = {os.lstat(os.path.join(at, name)).st_ino for at, below, files in os.walk(".") for name in [".", *below, *files]}
    for _ in range(1000):
        volume = os.statvfs(".")
        if volume.f_files - volume.f_ffree == len(named):
            return len(named)
        time.sleep(0.005)
    raise AssertionError((volume.f_files - volume.f_ffree, len(named)))


before = files_in_use()
# `os.link` calls linkat with AT_SYMLINK_FOLLOW only where a directory is given too.
fd = os.open(".", os.O_RDWR | os.O_TMPFILE, 0o640)
os.write(fd, b"made whole, " * 10_000)
os.setxattr(fd, "user.note", b"kept")
assert os.fstat(fd).st_nlink == 0 and stat.S_IMODE(os.fstat(fd).st_mode) == 0o640
os.fsync(fd)
os.link(f"/proc/self/fd/{fd}", "whole", src_dir_fd=0, follow_symlinks=True)
assert os.fstat(fd).st_nlink == 1 and os.stat("whole").st_ino == os.fstat(fd).st_ino
os.write(fd, b"then more")
os.close(fd)
assert read("whole") == b"made whole, " * 10_000 + b"then more" and os.getxattr("whole", "user.note") == b"kept"
os.unlink("whole")
for flags in (0, os.O_EXCL):
    fd = os.open(".", os.O_RDWR | os.O_TMPFILE | flags)
    os.write(fd, b"x" * 100_000)
    if flags:
        fails(errno.ENOENT, os.link, f"/proc/self/fd/{fd}", "never", src_dir_fd=0, follow_symlinks=True)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, 5, 99_998) == b"xx"
    os.close(fd)
with tempfile.TemporaryFile(dir=".") as file:
    file.write(b"as programs do it")
    assert os.fstat(file.fileno()).st_nlink == 0
assert files_in_use() == before
write("mapped", bytes(8192))
fd = os.open("mapped", os.O_RDWR)
with mmap.mmap(fd, 8192) as mapped, open("mapped", "r+b", buffering=0) as other:
    mapped[4096:4100] = b"seen"
    assert os.pread(other.fileno(), 4, 4096) == b"seen"
    os.pwrite(other.fileno(), b"back", 0)
    assert mapped[:4] == b"back"
    os.unlink("mapped")
    mapped[8000:8004] = b"last"
    mapped.flush()
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, 4, 8000) == b"last"
os.close(fd)
os.mkdir("left")
fd = os.open("left", os.O_RDONLY | os.O_DIRECTORY)
os.rmdir("left")
assert os.listdir(fd) == [] and os.fstat(fd).st_nlink == 0
fails(errno.ENOENT, os.open, "file", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
os.close(fd)
child = os.fork()
if child == 0:
    fd = os.open("inherited", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.unlink("inherited")
    os.write(fd, b"kept")
    os._exit(0 if os.pread(fd, 4, 0) == b"kept" else 1)
assert os.waitpid(child, 0)[1] == 0
fails(errno.ENOENT, os.stat, "inherited")

# Whole blocks at once, which are sealed after the answer: every later read, write and size must know of them.
big = bytes(range(256)) * 4096
fd, other = os.open("big", os.O_RDWR | os.O_CREAT), os.open("big", os.O_RDONLY)
for at in (0, 128 << 10, 1 << 20):
    assert os.pwrite(fd, big[: 128 << 10], at) == 128 << 10
    assert os.fstat(other).st_size == at + (128 << 10)
    os.posix_fadvise(other, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(other, 128 << 10, at) == big[: 128 << 10]
os.pwrite(fd, b"patch", 40_000)
os.pwrite(fd, big, 0)
os.pwrite(fd, b"patch", 40_000)
assert os.pread(other, 5, 40_000) == b"patch"
os.ftruncate(fd, 50_000)
os.ftruncate(fd, 1 << 20)
os.posix_fadvise(other, 0, 0, os.POSIX_FADV_DONTNEED)
assert os.pread(other, 1 << 20, 0) == big[:40_000] + b"patch" + big[40_005:50_000] + bytes((1 << 20) - 50_000)
os.close(fd)
os.close(other)

# Owners, modes and times.
write("m", b"#!")
os.chmod("m", 0o6755)
os.chown("m", 12, 34)
assert stat.S_IMODE(os.stat("m").st_mode) == 0o755, oct(os.stat("m").st_mode)
os.chmod("m", 0o4711)
os.utime("m", ns=(1, 1_234_567_890_123_456_789))
s = os.stat("m")
assert (s.st_uid, s.st_gid, s.st_atime_ns, s.st_mtime_ns) == (12, 34, 1, 1_234_567_890_123_456_789)
os.utime("m", ns=(-1_500_000_000, -1))
s = os.stat("m")
assert (s.st_atime_ns, s.st_mtime_ns) == (-1_500_000_000, -1), s
before = os.stat("m").st_mtime_ns
with open("m", "ab") as file:
    file.write(b"x")
assert os.stat("m").st_mtime_ns > before
os.mkdir("team")
os.chown("team", 0, 77)
os.chmod("team", 0o2775)
os.mkdir("team/sub")
assert os.stat("team/sub").st_gid == 77 and os.stat("team/sub").st_mode & stat.S_ISGID
child = os.fork()
if child == 0:
    os.setgid(1000)
    os.setuid(1000)
    fails(errno.EACCES, write, "mine", b"")
    fails(errno.EPERM, os.chmod, "m", 0o777)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os.mkdir("open", 0o777)
os.chmod("open", 0o1777)
write("open/theirs", b"")
child = os.fork()
if child == 0:
    os.setgid(1000)
    os.setuid(1000)
    write("open/mine", b"suid")
    os.chmod("open/mine", 0o4755)
    with open("open/mine", "ab") as file:
        file.write(b"!")
    assert os.stat("open/mine").st_mode & stat.S_ISUID == 0
    fails(errno.EPERM, os.unlink, "open/theirs")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0

# Attributes and locks.
os.setxattr("m", "user.note", b"value")
os.setxattr("m", "user.empty", b"")
assert os.getxattr("m", "user.note") == b"value" and sorted(os.listxattr("m")) == ["user.empty", "user.note"]
fails(errno.EEXIST, os.setxattr, "m", "user.note", b"", os.XATTR_CREATE)
fails(errno.ENODATA, os.setxattr, "m", "user.new", b"", os.XATTR_REPLACE)
os.removexattr("m", "user.note")
fails(errno.ENODATA, os.getxattr, "m", "user.note")
fails(errno.EOPNOTSUPP, os.setxattr, "m", "system.posix_acl_access", b"\x02\0\0\0")
one, two = os.open("m", os.O_RDWR), os.open("m", os.O_RDWR)
fcntl.flock(one, fcntl.LOCK_EX)
fails(errno.EAGAIN, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(one, fcntl.LOCK_UN)
fcntl.lockf(one, fcntl.LOCK_EX, 10, 5)
child = os.fork()
if child == 0:
    fails(errno.EAGAIN, fcntl.lockf, two, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
    fcntl.lockf(two, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 15)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0

# Sparse files, holes, O_DIRECT, beyond 2 TiB.
KEEP, PUNCH, ZERO, COLLAPSE = 1, 2, 0x10, 8
fallocate = lambda fd, mode, at, size: libc.fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(size))
fd = os.open("sparse", os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"end", 3 << 40)
assert os.fstat(fd).st_size == (3 << 40) + 3 and os.fstat(fd).st_blocks < 100
assert os.lseek(fd, 0, os.SEEK_DATA) == (3 << 40 if HOLES else 0)
assert os.lseek(fd, 0, os.SEEK_HOLE) == (0 if HOLES else (3 << 40) + 3)
assert os.pread(fd, 10, 1 << 40) == bytes(10)
os.ftruncate(fd, 100_000)
if HOLES:
    fails(errno.ENXIO, os.lseek, fd, 0, os.SEEK_DATA)
os.pwrite(fd, b"a" * 100_000, 0)
assert fallocate(fd, PUNCH | KEEP, 5000, 50_000) == 0
assert os.pread(fd, 100_000, 0) == b"a" * 5000 + bytes(50_000) + b"a" * 45_000
assert os.lseek(fd, 0, os.SEEK_HOLE) == (8192 if HOLES else 100_000)
assert fallocate(fd, ZERO, 90_000, 20_000) == 0 and os.fstat(fd).st_size == 110_000
assert fallocate(fd, 0, 0, 120_000) == 0 and os.fstat(fd).st_size == 120_000
assert fallocate(fd, COLLAPSE, 0, 4096) == -1 and ctypes.get_errno() == errno.EOPNOTSUPP
os.close(fd)
direct = os.open("direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
block = mmap.mmap(-1, 8192)
block[:] = b"d" * 8192
assert os.pwrite(direct, block, 4096) == 8192
back = mmap.mmap(-1, 8192)
assert os.preadv(direct, [back], 4096) == 8192 and back[:] == block[:]
os.close(direct)

# Shared, writable mappings, and every other way to change a file, against a copy in memory (fsx).
rng = random.Random(int(sys.argv[2]))
size = 300_000
model = bytearray(size)
fd = os.open("fsx", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, size)
for step in range(int(sys.argv[3])):
    at = rng.randrange(size)
    length = rng.randrange(1, min(70_000, size - at) + 1)
    data = bytes([rng.randrange(256)]) * length
    what = rng.randrange(7)
    if what == 0:
        os.pwrite(fd, data, at)
        model[at : at + length] = data
    elif what == 1:
        with mmap.mmap(fd, size) as mapped:
            mapped[at : at + length] = data
            if rng.randrange(2):
                mapped.flush()
        model[at : at + length] = data
    elif what == 2:
        os.ftruncate(fd, at)
        os.ftruncate(fd, size)
        model[at:] = bytes(size - at)
    elif what == 3:
        assert fallocate(fd, PUNCH | KEEP, at, length) == 0
        model[at : at + length] = bytes(length)
    elif what == 4:
        os.fsync(fd)
    elif what == 5:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, length, at) == model[at : at + length], (step, what, at, length)
assert os.pread(fd, size, 0) == model
os.close(fd)

# Many at once.
def worker(n):
    data = bytes([n]) * 200_000
    for i in range(20):
        write(f"t{n}-{i}", data)
        assert read(f"t{n}-{i}") == data
        if i % 3 == 0:
            os.unlink(f"t{n}-{i}")
threads = [threading.Thread(target=worker, args=(n,)) for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert len([n for n in os.listdir(".") if n.startswith("t") and "-" in n]) == 8 * 13

# A large directory, listed while it is emptied.
os.mkdir("many")
for i in range(3000):
    os.close(os.open(f"many/{i}", os.O_CREAT | os.O_WRONLY))
assert len(set(os.listdir("many"))) == 3000
with os.scandir("many") as entries:
    for entry in entries:
        os.unlink(entry.path)
os.rmdir("many")
os.mkdir("many")
for i in range(10_000):
    os.close(os.open(f"many/{i}", os.O_CREAT | os.O_WRONLY))
seen = set()
with os.scandir("many") as entries:
    for entry in entries:
        assert entry.name not in seen, entry.name
        seen.add(entry.name)
        # What is deleted before it was listed may be missing, what stays may not.
        if int(entry.name) % 2:
            os.unlink(entry.path)
assert all(str(i) in seen for i in range(10_000))
assert sorted(map(int, os.listdir("many"))) == list(range(0, 10_000, 2))
subprocess.run(["rm", "-r", "many"], check=True)
fails(errno.ENOENT, os.stat, "many")
print("whole")

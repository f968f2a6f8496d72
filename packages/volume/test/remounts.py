"""Random changes of a file against a copy of it (fsx), which outlives remounts: remounts.py FILE COPY SEED STEPS."""
import ctypes, mmap, os, random, sys

path, copy, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
libc = ctypes.CDLL(None, use_errno=True)
KEEP, PUNCH, ZERO = 1, 2, 0x10
LIMIT = 600_000


def fallocate(fd, mode, at, length):
    assert libc.fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(length)) == 0, ctypes.get_errno()


model = bytearray(open(copy, "rb").read()) if os.path.exists(copy) else bytearray()
fd = os.open(path, os.O_RDWR | os.O_CREAT)
assert os.pread(fd, LIMIT * 2, 0) == model, "after the remount"
for step in range(steps):
    at, length = rng.randrange(LIMIT), rng.randrange(1, 90_000)
    data = rng.randbytes(length)
    what = rng.randrange(11)
    if what <= 2:
        os.pwrite(fd, data, at)
        model.extend(bytes(max(0, at + length - len(model))))
        model[at : at + length] = data
    elif what == 3 and len(model) > 0:
        at %= len(model)
        data = data[: len(model) - at]
        with mmap.mmap(fd, len(model)) as mapped:
            mapped[at : at + len(data)] = data
        model[at : at + len(data)] = data
    elif what == 4:
        os.ftruncate(fd, at)
        del model[at:]
        model.extend(bytes(at - len(model)))
    elif what == 5:
        fallocate(fd, PUNCH | KEEP, at, length)
        end = min(len(model), at + length)
        if end > at:
            model[at:end] = bytes(end - at)
    elif what == 6:
        mode = rng.choice([0, KEEP, ZERO, ZERO | KEEP])
        fallocate(fd, mode, at, length)
        if mode & ZERO:
            end = min(len(model), at + length)
            if end > at:
                model[at:end] = bytes(end - at)
        if not mode & KEEP:
            model.extend(bytes(max(0, at + length - len(model))))
    elif what == 7:
        target = rng.randrange(LIMIT)
        if at < len(model) and (target + length <= at or at + length <= target):
            done = os.copy_file_range(fd, fd, length, at, target)
            piece = model[at : at + done]
            model.extend(bytes(max(0, target + done - len(model))))
            model[target : target + done] = piece
    elif what == 8:
        os.fsync(fd)
    elif what == 9:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    else:
        os.close(fd)
        fd = os.open(path, os.O_RDWR)
    assert os.fstat(fd).st_size == len(model), (seed, step, what, os.fstat(fd).st_size, len(model))
    assert os.pread(fd, length, at) == model[at : at + length], (seed, step, what, at, length)
    holes = os.lseek(fd, 0, os.SEEK_HOLE) if model else 0
    assert holes <= len(model)
assert os.pread(fd, LIMIT * 2, 0) == model, (seed, "at the end")
with open(copy, "wb") as file:
    file.write(model)

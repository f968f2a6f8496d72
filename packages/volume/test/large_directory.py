"""Fills (`fill`) the directory given as argument with so many files, finds each of them (`find`), or empties it (`empty`)."""
import os, sys

what, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.chdir(path)
NAME = "a file with a name of some length, number {}".format
WRITTEN = range(0, count, 10)
if what == "fill":
    for i in range(count):
        os.mknod(NAME(i))
    for i in WRITTEN:
        with open(NAME(i), "wb", buffering=0) as file:
            file.write(b"%d" % i)
if what == "find":
    with os.scandir(".") as entries:
        inodes = {entry.name: entry.inode() for entry in entries}
    assert len(inodes) == count and len(set(inodes.values())) == count, len(inodes)
    for i in range(count):
        seen = os.stat(NAME(i))
        assert (seen.st_ino, seen.st_size) == (inodes[NAME(i)], len(str(i)) if i in WRITTEN else 0), i
    for i in WRITTEN[::10]:
        with open(NAME(i), "rb") as file:
            assert file.read() == b"%d" % i
    try:
        os.stat(NAME(count))
        raise AssertionError("one that there is not")
    except FileNotFoundError:
        pass
if what == "empty":
    # As rm does it: each as it is listed.
    with os.scandir(".") as entries:
        for entry in entries:
            os.unlink(entry.name)
    assert os.listdir(".") == []

"""Everything that a root application can try against the runtime beside it; prints each attempt's outcome as JSON."""
import ctypes
import errno
import json
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
outcomes = {}


def named(number):
    return errno.errorcode.get(number, str(number))


def attempt(name, action):
    """Notes `errno` of a refusal, or that it worked and what came of it."""
    try:
        outcomes[name] = {"worked": repr(action())[:200]}
    except OSError as error:
        outcomes[name] = {"refused": named(error.errno)}


def call(name, function, *arguments):
    def action():
        ctypes.set_errno(0)
        result = function(*arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), "")
        return result

    attempt(name, action)


def system(name, number, *arguments):
    call(name, libc.syscall, ctypes.c_long(number), *arguments)


def read(path, size=64):
    with open(path, "rb", buffering=0) as file:
        return file.read(size)


def write(path, text):
    with open(path, "wb", buffering=0) as file:
        return file.write(text)


def in_child(name, action):
    """Runs an attempt in a process of its own, because it changes the process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        action()
        os.write(writer, json.dumps(outcomes).encode())
        os._exit(0)
    os.close(writer)
    answer = b""
    while True:
        chunk = os.read(reader, 65536)
        if not chunk:
            break
        answer += chunk
    os.close(reader)
    os.waitpid(child, 0)
    outcomes.update(json.loads(answer) if answer else {name: {"refused": "the child died"}})


MS_BIND, MS_REMOUNT, MS_MOVE, MNT_DETACH = 4096, 32, 8192, 2
NEWUSER, NEWNS, NEWPID = 0x10000000, 0x00020000, 0x20000000

outcomes["processes"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
outcomes["descriptors"] = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}"))
outcomes["root"] = sorted(os.listdir("/"))
try:
    outcomes["descriptors of 1"] = os.listdir("/proc/1/fd")
except PermissionError:
    outcomes["descriptors of 1"] = []
outcomes["devices"] = sorted(os.listdir("/dev"))
outcomes["connections"] = os.listdir("/sys/fs/fuse/connections") if os.path.isdir("/sys/fs/fuse/connections") else []
outcomes["mounts"] = [line.split()[4] + " " + line.split(" - ")[1].split()[0] for line in open("/proc/self/mountinfo")]

for name in ("mem", "environ", "maps", "auxv", "stack", "syscall"):
    attempt(f"read /proc/1/{name}", lambda: read(f"/proc/1/{name}"))
for name in ("root", "cwd", "exe"):
    attempt(f"follow /proc/1/{name}", lambda: os.readlink(f"/proc/1/{name}"))
attempt("list /proc/1/root", lambda: os.listdir("/proc/1/root/"))
for name in ("mnt", "pid", "user", "net"):
    attempt(f"open /proc/1/ns/{name}", lambda: os.open(f"/proc/1/ns/{name}", os.O_RDONLY))
for request, number in (("attach", 16), ("seize", 0x4206)):
    call(f"ptrace {request} 1", libc.ptrace, ctypes.c_long(number), ctypes.c_long(1), None, None)
local = ctypes.create_string_buffer(64)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(local), 64)
remote = (ctypes.c_size_t * 2)(0x400000, 64)
call("process_vm_readv 1", libc.process_vm_readv, 1, vector, ctypes.c_ulong(1), remote, ctypes.c_ulong(1), ctypes.c_ulong(0))
descriptor = libc.syscall(434, 1, 0)
if descriptor >= 0:
    system("pidfd_getfd 1", 438, descriptor, 0, 0)
    system("setns through a pidfd", 308, descriptor, NEWNS)
try:
    os.kill(1, signal.SIGKILL)
except PermissionError:
    pass
outcomes["alive after killing 1"] = True

call("umount /", libc.umount2, b"/", MNT_DETACH)
call("umount /proc", libc.umount2, b"/proc", MNT_DETACH)
call("umount /proc/kcore", libc.umount2, b"/proc/kcore", MNT_DETACH)
call("umount /dev", libc.umount2, b"/dev", MNT_DETACH)
call("remount /", libc.mount, b"", b"/", None, ctypes.c_ulong(MS_REMOUNT | MS_BIND), None)
call("remount /proc/sys", libc.mount, b"", b"/proc/sys", None, ctypes.c_ulong(MS_REMOUNT | MS_BIND), None)
call("mount tmpfs", libc.mount, b"tmpfs", b"/tmp", b"tmpfs", ctypes.c_ulong(0), None)
call("mount proc", libc.mount, b"proc", b"/tmp", b"proc", ctypes.c_ulong(0), None)
call("bind /", libc.mount, b"/", b"/tmp", None, ctypes.c_ulong(MS_BIND), None)
call("move /dev", libc.mount, b"/dev", b"/tmp", None, ctypes.c_ulong(MS_MOVE), None)
call("pivot_root", libc.pivot_root, b"/", b"/")
call("setns of another's", libc.unshare, NEWNS)

for name, major, minor in (("fuse", 10, 229), ("mem", 1, 1), ("tdx", 10, 123), ("disk", 7, 0)):
    attempt(f"mknod {name}", lambda: os.mknod(f"/tmp/{name}", 0o20666, os.makedev(major, minor)))
for name in ("fuse", "mem", "kmsg", "kvm", "tdx_guest", "sev-guest", "sgx_enclave", "sgx_provision", "tpm0", "console"):
    attempt(f"open /dev/{name}", lambda: os.open(f"/dev/{name}", os.O_RDWR))
for path in ("/host", "/.ensconce", "/runtime.mjs", "/run/lower", "/run/ensconce", "/sys/kernel/config/tsm"):
    attempt(f"list {path}", lambda: os.listdir(path))

attempt("read /proc/kcore", lambda: read("/proc/kcore") or (_ for _ in ()).throw(OSError(errno.ENODATA, "")))
attempt("write /proc/sys", lambda: write("/proc/sys/kernel/core_pattern", b"|/tmp/x"))
attempt("write /proc/sys/vm", lambda: write("/proc/sys/vm/drop_caches", b"1"))
attempt("write sysrq-trigger", lambda: write("/proc/sysrq-trigger", b"s"))
attempt("write /sys", lambda: write("/sys/kernel/uevent_helper", b"/tmp/x"))

system("open_by_handle_at", 304, -100, None, 0)
system("bpf", 321, 0, None, 0)
system("perf_event_open of 1", 298, ctypes.create_string_buffer(128), 1, -1, -1, 0)
system("init_module", 175, None, 0, b"")
system("kexec_load", 246, 0, 0, None, 0)
system("iopl", 172, 3)
system("reboot", 169, 0xFEE1DEAD, 672274793, 0x89ABCDEF, None)
system("fanotify_init", 300, 0, 0)


def escape_by_chroot():
    os.mkdir("/tmp/cage")
    here = os.open("/", os.O_RDONLY)
    try:
        os.chroot("/tmp/cage")
    except PermissionError:
        return
    os.fchdir(here)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    outcomes["root after chroot"] = sorted(os.listdir("/"))


in_child("root after chroot", escape_by_chroot)


def user_namespace():
    call("unshare user", libc.unshare, NEWUSER | NEWNS)
    if "worked" not in outcomes["unshare user"]:
        return
    for path in ("/", "/proc", "/proc/kcore", "/proc/sys", "/sys/firmware", "/dev"):
        call(f"user namespace: umount {path}", libc.umount2, path.encode(), MNT_DETACH)
    call("user namespace: remount /proc/sys", libc.mount, b"", b"/proc/sys", None, ctypes.c_ulong(MS_REMOUNT | MS_BIND), None)
    attempt("user namespace: read /proc/1/mem", lambda: read("/proc/1/mem"))
    attempt("user namespace: mknod", lambda: os.mknod("/tmp/fuse2", 0o20666, os.makedev(10, 229)))
    call("user namespace: ptrace 1", libc.ptrace, ctypes.c_long(16), ctypes.c_long(1), None, None)
    call("user namespace: unshare pid", libc.unshare, NEWPID)
    child = os.fork()
    if child == 0:
        # A new /proc would show what the old one hides.
        os._exit(0 if libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(0), None) < 0 else 1)
    refused = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    outcomes["user namespace: mount proc"] = {"refused": "EPERM"} if refused else {"worked": ""}


in_child("unshare user", user_namespace)
json.dump(outcomes, sys.stdout)

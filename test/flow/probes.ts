/** Programs that look around inside a container; python3 of the image runs them, natively and confidentially. */

/** What the kernel says of the program's own process, as JSON. */
export const aboutProcess = `
import ctypes, json, os, resource, signal, sys
status = dict(line.rstrip("\\n").split(":", 1) for line in open("/proc/self/status"))
kept = "Uid Gid Groups Umask SigBlk SigIgn SigCgt CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp".split()
print(json.dumps({
    "status": {name: status[name].strip() for name in kept},
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")},
    "directory": os.getcwd(),
    "environment": dict(os.environ),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name)),
    "session leader": os.getsid(0) == os.getpid(),
    "group leader": os.getpgid(0) == os.getpid(),
    "devices": sorted(os.listdir("/dev")),
    "device modes": {name: oct(os.stat("/dev/" + name).st_mode) for name in sorted(os.listdir("/dev"))},
    "masked": {name: os.path.getsize("/proc/" + name) if os.path.exists("/proc/" + name) else None for name in ("kcore", "keys", "timer_list")},
    "nice": os.nice(0),
    "host name": os.uname().nodename,
    "death signal": (lambda value: (ctypes.CDLL(None).prctl(2, ctypes.byref(value)), value.value)[1])(ctypes.c_int()),
    "dumpable": ctypes.CDLL(None).prctl(3),
    "adjustment": open("/proc/self/oom_score_adj").read(),
}))
`;

/** Says which signals arrive until SIGTERM ends it. */
export const signalListener = `
import signal, sys, time
names = "HUP INT QUIT USR1 USR2 ALRM CONT WINCH IO URG PIPE TSTP TTIN TTOU VTALRM XCPU PWR".split()
for name in names:
    signal.signal(getattr(signal, "SIG" + name), lambda number, frame: print("got", signal.Signals(number).name, flush=True))
def end(number, frame):
    print("got SIGTERM", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True: time.sleep(10)
`;

/** On a terminal: counts Ctrl-C, reports sizes, ends at a line of input. */
export const terminalUser = `
import os, signal, sys
interrupts = 0
def interrupted(number, frame):
    global interrupts
    interrupts += 1
    print("interrupt", interrupts, flush=True)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGWINCH, lambda number, frame: print("size", *os.get_terminal_size(), flush=True))
print([os.isatty(descriptor) for descriptor in (0, 1, 2)], os.path.exists(os.ttyname(0)))
print("foreground", os.tcgetpgrp(0) == os.getpgrp(), "own terminal", os.open("/dev/tty", os.O_RDWR) > 2)
print("size", *os.get_terminal_size())
print("ready", flush=True)
sys.stdin.readline()
print("interrupts", interrupts, flush=True)
`;

/** Leaves twenty orphans behind that end at once, and says how many zombies are left. */
export const orphanMaker = `
import os, time
for _ in range(20):
    child = os.fork()
    if child == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
time.sleep(0.2)
states = {pid: open("/proc/" + pid + "/stat").read().rsplit(") ", 1)[1][0] for pid in os.listdir("/proc") if pid.isdigit()}
print("zombies", sum(state == "Z" for state in states.values()), "processes", sorted(int(pid) for pid in states))
`;

/*
 * Between the runtime and the application: enters the namespaces that a Node process cannot enter (it has threads),
 * becomes PID 1 of the application's PID namespace, starts the application with the identity, capabilities, limits and
 * signal dispositions that the container engine would have given it, forwards signals, reaps orphans and passes the
 * exit code on (docs/decisions/0003-launcher.md).
 *
 * Descriptor 3 is a stream socket to the runtime. It gives the specification: NUL-terminated strings, first byte:
 *   R new root   W working directory   U uid   G gid   g supplementary gid   C capabilities (hexadecimal mask)
 *   I ignored signals   B blocked signals   L "resource soft hard"   M umask (octal)   T terminal on descriptor 0
 *   A argument   E environment entry   X end
 * A failure before the application runs is answered with "step errno\n"; success closes the stream.
 */
#include "sys.h"

#define FAILED 70
#define SPECIFICATION (8 << 20)
#define MANY 65536

static char specification[SPECIFICATION];
static char *arguments[MANY], *environment[MANY], *limits[RLIMITS];
static u32 groups[1024];
static int argument_count, environment_count, limit_count, group_count, terminal;
static char *root, *directory;
static u64 uid, gid, capabilities, ignored, blocked, mask = 022;

static void fail(const char *step, i64 error) {
  put_text(3, step);
  put_text(3, " ");
  put_number(3, (u64)-error, 10);
  put_text(3, "\n");
  leave(FAILED);
}

static void must(const char *step, i64 result) {
  if (result < 0) fail(step, result);
}

static u64 number_at(const char **text, u32 base) {
  u64 value = 0;
  for (;;) {
    char c = **text;
    u32 digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
    if (digit >= base) return value;
    value = value * base + digit;
    (*text)++;
  }
}

static u64 number(const char *text, u32 base) { return number_at(&text, base); }

static void take(char tag, char *text) {
  switch (tag) {
    case 'R': root = text; return;
    case 'W': directory = text; return;
    case 'U': uid = number(text, 10); return;
    case 'G': gid = number(text, 10); return;
    case 'C': capabilities = number(text, 16); return;
    case 'I': ignored = number(text, 16); return;
    case 'B': blocked = number(text, 16); return;
    case 'M': mask = number(text, 8); return;
    case 'T': terminal = 1; return;
    case 'g':
      if (group_count == 1024) fail("specification", -7);
      groups[group_count++] = number(text, 10);
      return;
    case 'L':
      if (limit_count == RLIMITS) fail("specification", -7);
      limits[limit_count++] = text;
      return;
    case 'A':
      if (argument_count == MANY - 1) fail("specification", -7);
      arguments[argument_count++] = text;
      return;
    case 'E':
      if (environment_count == MANY - 1) fail("specification", -7);
      environment[environment_count++] = text;
      return;
    default: fail("specification", -22);
  }
}

static void read_specification(void) {
  u64 have = 0, at = 0;
  for (;;) {
    u64 end = at;
    while (end < have && specification[end]) end++;
    if (end < have) {
      if (specification[at] == 'X') break;
      take(specification[at], specification + at + 1);
      at = end + 1;
      continue;
    }
    if (have == SPECIFICATION) fail("specification", -7);
    i64 got = call3(SYS_read, 3, specification + have, SPECIFICATION - have);
    if (got == -EINTR) continue;
    if (got <= 0) fail("specification", got ? got : -32);
    have += got;
  }
  if (!root || !directory || argument_count == 0) fail("specification", -22);
}

static void forward_until_exit(i64 child, int reap_all) {
  u64 all = ~0UL;
  for (;;) {
    i64 signal = call4(SYS_rt_sigtimedwait, &all, 0, 0, 8);
    if (signal < 0) continue;
    if (signal != SIGCHLD) {
      call2(SYS_kill, child, signal);
      continue;
    }
    for (;;) {
      int status;
      i64 pid = call4(SYS_wait4, reap_all ? -1 : child, &status, 1, 0);
      if (pid <= 0) break;
      if (pid != child) continue;
      leave(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
    }
  }
}

/* Paths of /proc that container engines hide or make read-only: they reach past the container. */
static void mask_proc(void) {
  static const char *hidden[] = {"proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list", "proc/timer_stats", "proc/sched_debug", 0};
  static const char *folders[] = {"proc/acpi", "proc/scsi", "proc/asound", "proc/interrupts", 0};
  static const char *fixed[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger", 0};
  int i;
  for (i = 0; hidden[i]; i++) {
    i64 done = call5(SYS_mount, "dev/null", hidden[i], 0, MS_BIND, 0);
    if (done < 0 && done != -ENOENT) fail("mask-proc", done);
  }
  for (i = 0; folders[i]; i++) {
    i64 done = call5(SYS_mount, "tmpfs", folders[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
    if (done == -ENOTDIR) done = call5(SYS_mount, "dev/null", folders[i], 0, MS_BIND, 0);
    if (done < 0 && done != -ENOENT) fail("mask-proc", done);
  }
  for (i = 0; fixed[i]; i++) {
    i64 done = call5(SYS_mount, fixed[i], fixed[i], 0, MS_BIND | MS_REC, 0);
    if (done == -ENOENT) continue;
    if (done >= 0) done = call5(SYS_mount, 0, fixed[i], 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
    if (done < 0) fail("mask-proc", done);
  }
}

static void enter_root(void) {
  must("private", call5(SYS_mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0));
  must("root", call1(SYS_chdir, root));
  must("proc", call5(SYS_mount, "proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0));
  mask_proc();
  must("pivot", call2(SYS_pivot_root, ".", "."));
  /* The runtime's own tree lies on top of the new root now; it goes, with everything the host mounted. */
  must("detach", call2(SYS_umount2, ".", MNT_DETACH));
  must("chdir", call1(SYS_chdir, "/"));
}

static void set_capabilities(u64 set) {
  struct cap_header header;
  struct cap_data data[2];
  header.version = CAP_VERSION_3;
  header.pid = 0;
  data[0].effective = data[0].permitted = (u32)set;
  data[1].effective = data[1].permitted = (u32)(set >> 32);
  data[0].inheritable = data[1].inheritable = 0;
  must("capabilities", call2(SYS_capset, &header, data));
}

static void become_user(void) {
  int capability, i;
  for (i = 0; i < limit_count; i++) {
    const char *text = limits[i];
    struct rlimit64 limit;
    u64 resource = number_at(&text, 10);
    text++;
    limit.soft = number_at(&text, 10);
    text++;
    limit.hard = number_at(&text, 10);
    must("limits", call4(SYS_prlimit64, 0, resource, &limit, 0));
  }
  for (capability = 0; capability < 64; capability++) {
    if (capabilities >> capability & 1) continue;
    if (call2(SYS_prctl, PR_CAPBSET_READ, capability) != 1) continue;
    must("bounding-set", call2(SYS_prctl, PR_CAPBSET_DROP, capability));
  }
  call2(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
  /* Where the host denies setgroups (a user namespace of one uid) there are no groups to set. */
  if (group_count > 0 || uid != 0) must("groups", call2(SYS_setgroups, group_count, groups));
  must("gid", call3(SYS_setresgid, gid, gid, gid));
  must("uid", call3(SYS_setresuid, uid, uid, uid));
  set_capabilities(uid == 0 ? capabilities : 0);
}

static void reset_signals(void) {
  int signal;
  for (signal = 1; signal <= SIGNALS; signal++) {
    struct sigaction_kernel action;
    action.handler = ignored >> (signal - 1) & 1;
    action.flags = action.restorer = action.mask = 0;
    call4(SYS_rt_sigaction, signal, &action, 0, 8);
  }
  call4(SYS_rt_sigprocmask, 2, &blocked, 0, 8);
}

static const char *search_path(void) {
  int i;
  for (i = 0; environment[i]; i++) {
    const char *e = environment[i];
    if (e[0] == 'P' && e[1] == 'A' && e[2] == 'T' && e[3] == 'H' && e[4] == '=') return e + 5;
  }
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static int has_slash(const char *text) {
  while (*text && *text != '/') text++;
  return *text == '/';
}

static void execute(void) {
  static char path[4096 + 4096];
  const char *at = search_path();
  i64 worst = -ENOENT, done;
  if (has_slash(arguments[0])) fail("exec", call3(SYS_execve, arguments[0], arguments, environment));
  while (*at) {
    u64 n = 0;
    const char *name = arguments[0];
    while (*at && *at != ':' && n < 4096) path[n++] = *at++;
    while (*at && *at != ':') at++;
    if (*at == ':') at++;
    path[n++] = '/';
    while (*name && n < sizeof path - 1) path[n++] = *name++;
    path[n] = 0;
    done = call3(SYS_execve, path, arguments, environment);
    if (done != -ENOENT && done != -ENOTDIR) worst = done;
  }
  fail("exec", worst);
}

static void application(void) {
  must("session", call0(SYS_setsid));
  if (terminal) must("terminal", call3(SYS_ioctl, 0, TIOCSCTTY, 0));
  become_user();
  must("working-directory", call1(SYS_chdir, directory));
  call1(SYS_umask, mask);
  reset_signals();
  execute();
}

/* Stays beside the application, so it keeps nothing worth stealing: no capability but that to forward signals. */
static void guard(i64 child) {
  call1(SYS_close, 3);
  call3(SYS_close_range, 0, ~0U, 0);
  call2(SYS_prctl, PR_SET_DUMPABLE, 0);
  set_capabilities(1UL << CAP_KILL);
  forward_until_exit(child, 1);
}

void entry(i64 *stack) {
  u64 all = ~0UL;
  i64 child;
  (void)stack;
  call2(SYS_prctl, PR_SET_DUMPABLE, 0);
  call3(SYS_close_range, 4, ~0U, 0);
  must("close-on-exec", call3(SYS_fcntl, 3, 2, 1));
  call4(SYS_rt_sigprocmask, 2, &all, 0, 8);
  read_specification();

  child = call5(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
  must("namespaces", child);
  if (child > 0) {
    call3(SYS_close_range, 0, ~0U, 0);
    forward_until_exit(child, 0);
  }
  /* Whoever ends the process above ends this namespace, and the application with it. */
  must("parent-death", call2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
  enter_root();
  child = call5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  must("fork", child);
  if (child > 0) guard(child);
  application();
}

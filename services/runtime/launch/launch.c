/*
 * PID 1 of a confidential container. The host chose our arguments, environment, descriptors, limits and signals; all
 * of it is data from here on. We record it, make the runtime's measured folder the root of a mount namespace of our
 * own, and start Node there with an empty environment, so that LD_PRELOAD, NODE_OPTIONS, /etc/ld.so.preload and the
 * like never take effect (docs/decisions/0003-launcher.md).
 *
 * Descriptor 3 of the runtime is the record: NUL-terminated strings, the first byte says what follows.
 *   A argument   E environment entry   L "resource soft hard" (decimal)   I ignored signals   B blocked signals
 *   P permitted capabilities   S bounding set (hexadecimal masks)   M umask (octal)   N "userns" or "privileged"   X end
 */
#include "sys.h"

#define FOLDER "/.ensconce/runtime"
#define FAILED 70

static void fail(const char *what, i64 error, const char *hint) {
  put_text(2, "ensconce: launch: ");
  put_text(2, what);
  put_text(2, ": errno ");
  put_number(2, (u64)-error, 10);
  put_text(2, "\nhint: ");
  put_text(2, hint);
  put_text(2, "\n");
  leave(FAILED);
}

static void record_text(int fd, char tag, const char *text) {
  put(fd, &tag, 1);
  put(fd, text, length_of(text) + 1);
}

static void record_mask(int fd, char tag, u64 mask) {
  char buffer[24];
  record_text(fd, tag, digits(mask, 16, buffer));
}

static void record_limits(int fd) {
  int resource;
  for (resource = 0; resource < RLIMITS; resource++) {
    struct rlimit64 limit;
    if (call4(SYS_prlimit64, 0, resource, 0, &limit) < 0) continue;
    put(fd, "L", 1);
    put_number(fd, resource, 10);
    put(fd, " ", 1);
    put_number(fd, limit.soft, 10);
    put(fd, " ", 1);
    put_number(fd, limit.hard, 10);
    put(fd, "", 1);
    if (resource == RLIMIT_CORE) {
      limit.soft = 0;
      call4(SYS_prlimit64, 0, resource, &limit, 0);
    }
  }
}

static void record_signals(int fd) {
  u64 ignored = 0, blocked = 0, none = 0;
  int signal;
  for (signal = 1; signal <= SIGNALS; signal++) {
    struct sigaction_kernel action;
    if (call4(SYS_rt_sigaction, signal, 0, &action, 8) == 0 && action.handler == 1) ignored |= 1UL << (signal - 1);
  }
  call4(SYS_rt_sigprocmask, 2, &none, &blocked, 8);
  record_mask(fd, 'I', ignored);
  record_mask(fd, 'B', blocked);
}

static u64 permitted_capabilities(void) {
  struct cap_header header;
  struct cap_data data[2];
  header.version = CAP_VERSION_3;
  header.pid = 0;
  if (call2(SYS_capget, &header, data) < 0) return 0;
  return data[0].permitted | (u64)data[1].permitted << 32;
}

static u64 bounding_set(void) {
  u64 set = 0;
  int capability;
  for (capability = 0; capability < 64; capability++) {
    if (call2(SYS_prctl, PR_CAPBSET_READ, capability) == 1) set |= 1UL << capability;
  }
  return set;
}

static void write_file(const char *path, const char *text) {
  i64 fd = call2(SYS_open, path, O_WRONLY | O_CLOEXEC);
  i64 done = fd < 0 ? fd : call3(SYS_write, fd, text, length_of(text));
  if (done < 0) fail("writing the map of the user namespace", done, "give the container CAP_SYS_ADMIN, or a user namespace with it");
  call1(SYS_close, fd);
}

/*
 * One uid and one gid, ours, become 0: all that an unprivileged process may map. With it goes a namespace of message
 * queues, because only those of the own user namespace can be mounted.
 */
static void enter_user_namespace(void) {
  char uid[64], gid[64], number[24];
  char *parts[2];
  u64 ids[2];
  int i;
  i64 done;
  parts[0] = uid;
  parts[1] = gid;
  ids[0] = call0(SYS_getuid);
  ids[1] = call0(SYS_getgid);
  for (i = 0; i < 2; i++) {
    char *to = parts[i], *from = digits(ids[i], 10, number);
    *to++ = '0';
    *to++ = ' ';
    while (*from) *to++ = *from++;
    *to++ = ' ';
    *to++ = '1';
    *to = 0;
  }
  done = call1(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC);
  if (done < 0) fail("making a user namespace", done, "give the container CAP_SYS_ADMIN, or allow user namespaces (seccomp, user.max_user_namespaces)");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", uid);
  write_file("/proc/self/gid_map", gid);
}

/* Mount flags that the folder's own mount has and that a user namespace may not take away. */
static u64 locked_flags(void) {
  u64 status[16];
  i64 fd = call2(SYS_open, FOLDER, O_RDONLY | O_CLOEXEC);
  u64 flags = 0;
  if (fd >= 0 && call2(SYS_fstatfs, fd, status) == 0) {
    u64 seen = status[10];
    if (seen & 2) flags |= MS_NOSUID;
    if (seen & 8) flags |= MS_NOEXEC;
    if (seen & 1024) flags |= MS_NOATIME;
    if (seen & 2048) flags |= MS_NODIRATIME;
    if (seen & 4096) flags |= MS_RELATIME;
  }
  call1(SYS_close, fd);
  return flags;
}

static void enter_folder(void) {
  const char *hint = "the image must come from `ensconce image`, and the container needs CAP_SYS_ADMIN or a user namespace";
  i64 done = call5(SYS_mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0);
  if (done < 0) fail("making the mounts private", done, hint);
  /* Not recursive: what the host mounted below the folder does not follow. */
  done = call5(SYS_mount, FOLDER, FOLDER, 0, MS_BIND, 0);
  if (done < 0) fail("binding " FOLDER, done, hint);
  done = call5(SYS_mount, 0, FOLDER, 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | locked_flags(), 0);
  if (done < 0) fail("making " FOLDER " read-only", done, hint);
  done = call1(SYS_chdir, FOLDER);
  if (done >= 0) done = call2(SYS_pivot_root, ".", "host");
  if (done >= 0) done = call1(SYS_chdir, "/");
  if (done < 0) fail("changing the root to " FOLDER, done, hint);
}

/* As session leader we own the terminal; letting go of it leaves it to the application's own session. */
static void release_terminal(void) {
  struct sigaction_kernel ignore, before;
  i64 fd = call2(SYS_open, "/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return;
  ignore.handler = 1;
  ignore.flags = ignore.restorer = ignore.mask = 0;
  call4(SYS_rt_sigaction, 1, &ignore, &before, 8);
  call2(SYS_ioctl, fd, TIOCNOTTY);
  call4(SYS_rt_sigaction, 1, &before, 0, 8);
  call1(SYS_close, fd);
}

void entry(i64 *stack) {
  i64 argc = stack[0];
  char **argv = (char **)(stack + 1);
  char **envp = argv + argc + 1;
  char *runtime[4];
  char *empty[1];
  char number[24];
  i64 fd, i;
  u64 mask;

  fd = call2(SYS_memfd_create, "host", 0);
  if (fd < 0) fail("making the record of the host's data", fd, "the kernel must be Linux 5.9 or later");
  for (i = 1; i < argc; i++) record_text(fd, 'A', argv[i]);
  for (i = 0; envp[i]; i++) record_text(fd, 'E', envp[i]);
  record_limits(fd);
  record_signals(fd);
  record_mask(fd, 'P', permitted_capabilities());
  record_mask(fd, 'S', bounding_set());
  mask = call1(SYS_umask, 077);
  record_text(fd, 'M', digits(mask, 8, number));

  release_terminal();
  if (permitted_capabilities() >> CAP_SYS_ADMIN & 1) {
    i = call1(SYS_unshare, CLONE_NEWNS);
    if (i < 0) fail("making a mount namespace", i, "give the container CAP_SYS_ADMIN, or a user namespace");
    record_text(fd, 'N', "privileged");
  } else {
    enter_user_namespace();
    record_text(fd, 'N', "userns");
  }
  record_text(fd, 'X', "");
  enter_folder();

  if (fd != 3) call2(SYS_dup2, fd, 3);
  call3(SYS_close_range, 4, ~0U, 0);
  call3(SYS_lseek, 3, 0, 0);
  mask = 0;
  call4(SYS_rt_sigprocmask, 2, &mask, 0, 8);

  runtime[0] = "/bin/node";
  runtime[1] = "--disable-sigusr1";
  runtime[2] = "/runtime.mjs";
  runtime[3] = 0;
  empty[0] = 0;
  fail("starting /bin/node", call3(SYS_execve, runtime[0], runtime, empty), "the runtime folder of this image is incomplete; transform the image again");
}

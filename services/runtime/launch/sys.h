/*
 * The little that launch.c and init.c need of Linux on x86-64 without a C library: no dynamic loader, no environment
 * variable and no file of the host is read before the first line of ours. Compiled by tcc -nostdlib -static.
 */
#ifndef ENSCONCE_SYS_H
#define ENSCONCE_SYS_H

typedef long i64;
typedef unsigned long u64;
typedef unsigned int u32;

i64 syscall6(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f);
__asm__(".globl syscall6\n"
        "syscall6:\n"
        " mov %rdi,%rax\n mov %rsi,%rdi\n mov %rdx,%rsi\n mov %rcx,%rdx\n"
        " mov %r8,%r10\n mov %r9,%r8\n mov 8(%rsp),%r9\n"
        " syscall\n ret\n");
__asm__(".globl _start\n"
        "_start:\n mov %rsp,%rdi\n and $-16,%rsp\n call entry\n hlt\n");

#define SYS_read 0
#define SYS_write 1
#define SYS_open 2
#define SYS_close 3
#define SYS_lseek 8
#define SYS_rt_sigaction 13
#define SYS_rt_sigprocmask 14
#define SYS_ioctl 16
#define SYS_dup2 33
#define SYS_getpid 39
#define SYS_clone 56
#define SYS_execve 59
#define SYS_exit_group 231
#define SYS_wait4 61
#define SYS_kill 62
#define SYS_fcntl 72
#define SYS_chdir 80
#define SYS_umask 95
#define SYS_getuid 102
#define SYS_getgid 104
#define SYS_setsid 112
#define SYS_setgroups 116
#define SYS_setresuid 117
#define SYS_setresgid 119
#define SYS_capget 125
#define SYS_capset 126
#define SYS_rt_sigtimedwait 128
#define SYS_fstatfs 138
#define SYS_pivot_root 155
#define SYS_prctl 157
#define SYS_mount 165
#define SYS_umount2 166
#define SYS_unshare 272
#define SYS_prlimit64 302
#define SYS_memfd_create 319
#define SYS_close_range 436

#define call0(n) syscall6(n, 0, 0, 0, 0, 0, 0)
#define call1(n, a) syscall6(n, (i64)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b) syscall6(n, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define call3(n, a, b, c) syscall6(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define call4(n, a, b, c, d) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define call5(n, a, b, c, d, e) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), 0)

#define EINTR 4
#define EAGAIN 11
#define EACCES 13
#define ENOENT 2
#define ENOTDIR 20

#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_NOCTTY 0400
#define O_CLOEXEC 02000000

#define MS_RDONLY 1
#define MS_NOSUID 2
#define MS_NODEV 4
#define MS_NOEXEC 8
#define MS_REMOUNT 32
#define MS_NOATIME 1024
#define MS_NODIRATIME 2048
#define MS_BIND 4096
#define MS_REC 16384
#define MS_PRIVATE (1 << 18)
#define MS_RELATIME (1 << 21)
#define MNT_DETACH 2

#define CLONE_NEWNS 0x00020000
#define CLONE_NEWIPC 0x08000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define SIGKILL 9
#define SIGCHLD 17

#define TIOCSCTTY 0x540E
#define TIOCNOTTY 0x5422

#define PR_SET_PDEATHSIG 1
#define PR_SET_DUMPABLE 4
#define PR_CAPBSET_READ 23
#define PR_CAPBSET_DROP 24
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4

#define RLIMITS 16
#define RLIMIT_CORE 4
#define SIGNALS 64

struct rlimit64 {
  u64 soft, hard;
};
struct sigaction_kernel {
  i64 handler;
  u64 flags;
  i64 restorer;
  u64 mask;
};
struct cap_header {
  u32 version;
  int pid;
};
struct cap_data {
  u32 effective, permitted, inheritable;
};
#define CAP_VERSION_3 0x20080522
#define CAP_KILL 5
#define CAP_SYS_ADMIN 21

static u64 length_of(const char *text) {
  u64 n = 0;
  while (text[n]) n++;
  return n;
}

static void put(int fd, const char *bytes, u64 n) {
  while (n > 0) {
    i64 done = call3(SYS_write, fd, bytes, n);
    if (done == -EINTR) continue;
    if (done <= 0) return;
    bytes += done;
    n -= done;
  }
}

static void put_text(int fd, const char *text) { put(fd, text, length_of(text)); }

/* The digits of `value` in `base`, written backwards into `buffer` (at least 24 bytes); returns where they begin. */
static char *digits(u64 value, u32 base, char *buffer) {
  char *at = buffer + 23;
  *at = 0;
  do {
    *--at = "0123456789abcdef"[value % base];
    value /= base;
  } while (value > 0);
  return at;
}

static void put_number(int fd, u64 value, u32 base) {
  char buffer[24];
  put_text(fd, digits(value, base, buffer));
}

static void leave(int status) {
  for (;;) call1(SYS_exit_group, status);
}

#endif

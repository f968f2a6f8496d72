import { RuntimeError } from './errors.ts';

/** Numbers of capabilities(7), linux/capability.h. */
const numbers: Readonly<Record<string, number>> = Object.freeze({
  __proto__: null as never,
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_LINUX_IMMUTABLE: 9,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_IPC_OWNER: 15,
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_PACCT: 20,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_BOOT: 22,
  CAP_SYS_NICE: 23,
  CAP_SYS_RESOURCE: 24,
  CAP_SYS_TIME: 25,
  CAP_SYS_TTY_CONFIG: 26,
  CAP_MKNOD: 27,
  CAP_LEASE: 28,
  CAP_AUDIT_WRITE: 29,
  CAP_AUDIT_CONTROL: 30,
  CAP_SETFCAP: 31,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_SYSLOG: 34,
  CAP_WAKE_ALARM: 35,
  CAP_BLOCK_SUSPEND: 36,
  CAP_AUDIT_READ: 37,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
  CAP_CHECKPOINT_RESTORE: 40,
});

/**
 * What no application gets, whatever engine and policy say: each reaches the runtime's memory, its mounts, its network
 * redirection or the TEE devices.
 */
const withheld = [
  'CAP_SYS_ADMIN',
  'CAP_SYS_PTRACE',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_BOOT',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_CHECKPOINT_RESTORE',
  'CAP_MKNOD',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_DAC_READ_SEARCH',
] as const;

function bits(names: Iterable<string>): bigint {
  let set = 0n;
  for (const name of names) {
    const number = numbers[name];
    if (number === undefined)
      throw new RuntimeError(
        'CONFIGURATION',
        `capabilities: a capability of Linux expected, ${JSON.stringify(name)} found`,
      );
    set |= 1n << BigInt(number);
  }
  return set;
}

/** The application's capabilities: what the engine gave, what the policy allows, less what is always withheld. */
export function applicationCapabilities(engine: bigint, policy: readonly string[]): bigint {
  return engine & bits(policy) & ~bits(withheld);
}

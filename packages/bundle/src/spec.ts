/** What container engines give by default (Docker, podman, containerd). */
export const engineCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
] as const;

export interface BindMount {
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
}

export interface ContainerOptions {
  /** The unpacked root file system. */
  readonly root: string;
  readonly args: readonly string[];
  /** `NAME=value` entries. */
  readonly environment: readonly string[];
  readonly directory: string;
  readonly uid: number;
  readonly gid: number;
  readonly terminal: boolean;
  /** Beside {@link engineCapabilities}. */
  readonly extraCapabilities: readonly string[];
  /** Whether the container gets /dev/fuse. */
  readonly fuse: boolean;
  readonly mounts: readonly BindMount[];
  readonly hostname: string;
  /** `host`: the host's network; `none`: a namespace with loopback only. */
  readonly network: 'host' | 'none';
  /** Whether engine and kernel paths of /proc stay unmasked; the confidential runtime masks them itself. */
  readonly unmasked: boolean;
}

const fuseDevice = { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 };

/** Devices that engines allow beside the ones they make: mknod of any, and the pseudo-terminals. */
const deviceRules = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 2],
    [10, 229],
  ].map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

const masked = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
];
const readOnlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** An OCI runtime configuration (config.json, runtime-spec 1.0.2) as engines write it. */
export function containerSpec(options: ContainerOptions): Record<string, unknown> {
  const capabilities = [...engineCapabilities, ...options.extraCapabilities];
  const held = options.uid === 0 ? capabilities : [];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: options.terminal,
      user: { uid: options.uid, gid: options.gid },
      args: options.args,
      env: options.environment,
      cwd: options.directory,
      capabilities: { bounding: capabilities, effective: held, permitted: held },
      noNewPrivileges: false,
    },
    root: { path: options.root, readonly: false },
    hostname: options.hostname,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
      {
        destination: '/dev/mqueue',
        type: 'mqueue',
        source: 'mqueue',
        options: ['nosuid', 'noexec', 'nodev'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      ...options.mounts.map((mount) => ({
        destination: mount.destination,
        type: 'bind',
        source: mount.source,
        options: ['bind', mount.readOnly ? 'ro' : 'rw', 'nosuid', 'nodev'],
      })),
    ],
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        ...(options.network === 'none' ? [{ type: 'network' }] : []),
      ],
      devices: options.fuse ? [fuseDevice] : [],
      resources: { devices: deviceRules },
      maskedPaths: options.unmasked ? [] : masked,
      readonlyPaths: options.unmasked ? [] : readOnlyPaths,
    },
  };
}

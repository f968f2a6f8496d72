import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Duplex } from 'node:stream';
import { RuntimeError } from './errors.ts';
import type { HostRecord } from './host-record.ts';
import { reapOrphans, unblockSignal } from './linux.ts';
import type { ApplicationUser } from './user.ts';

export interface Application {
  readonly root: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user: ApplicationUser;
  readonly capabilities: bigint;
}

/** Engines give containers this umask whatever their own is. */
const umask = 0o022;

function specification(application: Application, host: HostRecord): Buffer {
  const entries: string[] = [
    `R${application.root}`,
    `W${application.directory}`,
    `U${application.user.uid}`,
    `G${application.user.gid}`,
    // Only one gid is mapped in a namespace of our own, and the host may deny setgroups; root there has no other groups.
    ...(host.ownUserNamespace ? [] : application.user.groups.map((group) => `g${group}`)),
    `C${application.capabilities.toString(16)}`,
    `I${host.ignoredSignals.toString(16)}`,
    `B${host.blockedSignals.toString(16)}`,
    ...host.limits.map((limit) => `L${limit.resource} ${limit.soft} ${limit.hard}`),
    `M${umask.toString(8)}`,
    ...(isatty(0) ? ['T'] : []),
    ...application.command.map((argument) => `A${argument}`),
    ...Object.entries(application.environment).map(([name, value]) => `E${name}=${value}`),
    'X',
  ];
  for (const entry of entries) {
    if (entry.includes('\0'))
      throw new RuntimeError(
        'CONFIGURATION',
        'command and environment: text without NUL expected, a NUL found',
      );
  }
  return Buffer.from(entries.map((entry) => `${entry}\0`).join(''), 'utf8');
}

const hints: Readonly<Record<string, string>> = {
  proc: 'in a user namespace the engine must leave /proc unmasked (podman: --security-opt unmask=ALL)',
  namespaces: 'the container needs CAP_SYS_ADMIN, or a user namespace with it',
  'bounding-set': 'the container needs CAP_SETPCAP, which engines give by default',
  uid: 'the container needs CAP_SETUID, which engines give by default, and a user namespace must map the uid',
  gid: 'the container needs CAP_SETGID, which engines give by default, and a user namespace must map the gid',
  groups: 'the container needs CAP_SETGID, which engines give by default',
};

/** What a report of launch/init.c ("step errno") means, and the exit code for it (docs/reference/exit-codes.md). */
export function startError(
  application: Application,
  report: string,
): { error: RuntimeError; status: number } {
  const [step = '', number = ''] = report.trim().split(' ');
  const errno =
    Object.entries(constants.errno).find(([, value]) => String(value) === number)?.[0] ?? `errno ${number}`;
  if (step === 'exec') {
    const missing = errno === 'ENOENT';
    return {
      error: new RuntimeError(
        'APPLICATION_START',
        `command: a program of the image expected, ${JSON.stringify(application.command[0])} ${missing ? 'or its interpreter is not in it' : `cannot be run: ${errno}`}`,
        { hint: "the policy's `command` names it; PATH is the policy's too" },
      ),
      status: missing ? 127 : 126,
    };
  }
  return {
    error: new RuntimeError('APPLICATION_START', `starting the application failed at ${step}: ${errno}`, {
      hint: hints[step],
    }),
    status: 125,
  };
}

/** Signals that a process can catch and pass on; those of the terminal reach the application's own session directly. */
const forwarded: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
];

export interface RunningApplication {
  /** Settles once the application runs; rejects where it could not be started. */
  readonly started: Promise<void>;
  /** The exit code, 128 + signal where a signal ended it; 125 to 127 where it never ran. */
  readonly exited: Promise<number>;
  /** Ends the application at once, with everything that it started. */
  kill(): void;
}

/**
 * Starts launch/init.c, which waits for what it is to start. Forking a process of this size takes some milliseconds, best
 * spent while CAS is at work.
 */
export function startInit(): ChildProcess {
  const child = spawn('/bin/init', [], { stdio: [0, 1, 2, 'pipe'], env: {}, cwd: '/' });
  // Told by the stream that ends, once somebody starts an application through it.
  child.on('error', () => undefined);
  return child;
}

/**
 * Only root is mapped in a user namespace of our own.
 *
 * @throws RuntimeError `APPLICATION_START`
 */
export function checkUser({ uid, gid }: Application['user'], { ownUserNamespace }: HostRecord): void {
  if (!ownUserNamespace || (uid === 0 && gid === 0)) return;
  throw new RuntimeError(
    'APPLICATION_START',
    `user: root expected where the container has no CAP_SYS_ADMIN, ${uid}:${gid} found`,
    { hint: 'give the container CAP_SYS_ADMIN, or a user namespace with a full map (hostUsers: false)' },
  );
}

/** Starts the application beside the runtime, in namespaces of its own, through `child`, which {@link startInit} started. */
export function startApplication(
  child: ChildProcess,
  application: Application,
  host: HostRecord,
): RunningApplication {
  const own = new Set<number>();
  if (child.pid !== undefined) own.add(child.pid);
  for (const signal of forwarded) {
    // From here on they are the application's; what ended a start until now no longer does.
    process.removeAllListeners(signal);
    process.on(signal, () => child.kill(signal));
  }
  unblockSignal(constants.signals.SIGUSR1);
  process.on('SIGCHLD', () => reapOrphans((pid) => own.has(pid)));

  const channel = child.stdio[3] as Duplex;
  let report = '';
  const started = new Promise<void>((resolve, reject) => {
    channel.on('data', (chunk: Buffer) => {
      report = (report + chunk.toString('latin1')).slice(0, 200);
    });
    channel.on('error', () => channel.destroy());
    if (child.pid === undefined)
      reject(new RuntimeError('SYSTEM', '/bin/init: a program that starts expected'));
    channel.once('close', () => {
      if (report === '') {
        resolve();
        return;
      }
      reject(startError(application, report).error);
    });
  });
  channel.write(specification(application, host));

  const exited = new Promise<number>((resolve) => {
    // All streams have ended by then, so the report of a failure is complete.
    child.once('close', (code, signal) =>
      resolve(
        report === ''
          ? (code ?? 128 + constants.signals[signal ?? 'SIGKILL'])
          : startError(application, report).status,
      ),
    );
    if (child.pid === undefined) resolve(125);
  });
  return { started, exited, kill: () => child.kill('SIGKILL') };
}

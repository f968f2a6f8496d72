/** Containers of confidential images, given to an OCI runtime by the tests themselves: they play the host, also a bad one. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerSpec, type BindMount } from '@ensconce/bundle/spec';
import { start, type Finished, type Running } from './processes.ts';

/** What the tests change of an OCI configuration; the rest is the engine's own. */
export interface Spec {
  process: {
    args: string[];
    env: string[];
    terminal: boolean;
    user: { uid: number; gid: number };
    capabilities: Record<string, string[]>;
    rlimits?: { type: string; soft: number; hard: number }[];
    [other: string]: unknown;
  };
  mounts: { destination: string; type?: string; source?: string; options?: string[] }[];
  linux: {
    namespaces: { type: string }[];
    devices: unknown[];
    [other: string]: unknown;
  };
  [other: string]: unknown;
}

export interface ContainerOptions {
  readonly args?: readonly string[];
  readonly stdin?: string | Buffer;
  /** Leaves standard input open, for `child.stdin`. */
  readonly open?: boolean;
  /** Added to the environment, `NAME=value`. */
  readonly env?: readonly string[];
  readonly mounts?: readonly BindMount[];
  readonly network?: 'host' | 'none';
  /** Changes the OCI configuration. */
  readonly change?: (spec: Spec) => void;
  /** Shell lines that run before the start, in the container's own mount namespace; `$root` is its root. */
  readonly prepare?: string;
  /** `runc` or `crun`. */
  readonly engine?: string;
  /** Put before the OCI runtime's command line, for example a tracer. */
  readonly wrapper?: readonly string[];
  /** Runs on a terminal of these many rows and columns; input and output both are the terminal's. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  readonly timeout?: number;
}

export interface ContainerPlan extends ContainerOptions {
  /** Where work folders are made. */
  readonly folder: string;
  /** Unpacked layers, lowest first. */
  readonly layers: readonly string[];
  readonly environment: readonly string[];
  readonly lasSocket: string | undefined;
}

/** A container that runs. */
export interface RunningContainer extends Running {
  /** Sends a signal to PID 1 of the container, as `docker kill` does. */
  kill(signal: string): void;
  /** Host PID of the container's PID 1. */
  pid(): number;
  readonly work: string;
}

/**
 * Everything that is mounted stands in a mount namespace that ends with the container. $1 work folder, $2 options of
 * the overlay, $3 what the test prepares; the rest is the command line of the OCI runtime.
 */
const script = `set -e
work=$1; options=$2; prepare=$3; shift 3
mount -t tmpfs -o mode=0755 tmpfs "$work/memory"
mkdir "$work/memory/upper" "$work/memory/work" "$work/memory/rootfs"
root=$work/memory/rootfs
cd "$work/lower"
mount -t overlay overlay -o "$options" "$root"
cp "$work/config.json" "$work/memory/config.json"
cd /
eval "$prepare"
exec "$@"`;

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** crun refuses the hybrid cgroups that some machines have, unless it does not see the second hierarchy. */
const hideHybrid = `if [ -d /sys/fs/cgroup/unified ]; then umount -l /sys/fs/cgroup/unified || true; fi`;

/** Starts a container as an engine would: the layers as its root, /dev/fuse, SYS_ADMIN and the LAS socket. */
export function startContainer(plan: ContainerPlan): RunningContainer {
  const work = mkdtempSync(join(plan.folder, 'container-'));
  for (const name of ['memory', 'lower', 'state']) mkdirSync(join(work, name));
  for (const [index, layer] of plan.layers.entries())
    execFileSync('ln', ['-s', layer, join(work, 'lower', String(index))]);
  const spec = containerSpec({
    root: join(work, 'memory', 'rootfs'),
    args: ['/.ensconce/runtime/bin/launch', ...(plan.args ?? [])],
    environment: [...plan.environment, ...(plan.env ?? [])],
    directory: '/',
    uid: 0,
    gid: 0,
    terminal: plan.terminal !== undefined,
    extraCapabilities: ['CAP_SYS_ADMIN'],
    fuse: true,
    mounts: [
      ...(plan.lasSocket === undefined
        ? []
        : [{ source: plan.lasSocket, destination: '/run/ensconce/las.sock', readOnly: false }]),
      ...(plan.mounts ?? []),
    ],
    hostname: 'native',
    network: plan.network ?? 'host',
    unmasked: true,
  }) as unknown as Spec;
  plan.change?.(spec);
  writeFileSync(join(work, 'config.json'), JSON.stringify(spec));
  const order = plan.layers.map((_, index) => index).toReversed();
  const options = `lowerdir=${order.join(':')},upperdir=${work}/memory/upper,workdir=${work}/memory/work`;
  const id = `flow-${randomBytes(6).toString('hex')}`;
  const engine = plan.engine ?? 'runc';
  const state = ['--root', join(work, 'state')];
  const engineLine = [...(plan.wrapper ?? []), engine, ...state, 'run', '--bundle', join(work, 'memory'), id];
  const prepare = [engine === 'crun' ? hideHybrid : '', plan.prepare ?? ''].join('\n');
  const line = ['/bin/sh', '-c', script, 'sh', work, options, prepare, ...engineLine];
  const isolated = ['--mount', '--propagation', 'private', '--', ...line];
  const kill = (signal: string): void => {
    execFileSync(engine, [...state, 'kill', id, signal], { stdio: 'ignore' });
  };
  const { terminal } = plan;
  const started = start(
    terminal === undefined ? 'unshare' : 'script',
    terminal === undefined
      ? isolated
      : [
          '-qec',
          `stty rows ${terminal.rows} cols ${terminal.columns}; exec unshare ${isolated.map(quote).join(' ')}`,
          '/dev/null',
        ],
    {
      stdin: plan.stdin,
      open: plan.open,
      timeout: plan.timeout,
      onTimeout: () => {
        try {
          kill('KILL');
        } catch {
          // It never got as far as a container; the process itself is killed next.
        }
      },
    },
  );
  const finished = tidied(started.finished, work);
  finished.catch(() => undefined);
  return {
    ...started,
    finished,
    kill,
    pid: () => {
      const shown = JSON.parse(execFileSync(engine, [...state, 'state', id], { encoding: 'utf8' })) as {
        pid: number;
      };
      return shown.pid;
    },
    work,
  };
}

async function tidied(finished: Promise<Finished>, work: string): Promise<Finished> {
  try {
    return await finished;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

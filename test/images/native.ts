/** Runs a native image as a container engine would, with runc: what it prints is what the confidential run must print. */
import { execFile, spawn } from 'node:child_process';
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageConfig } from './oci-layout.ts';
import { cacheFolder } from './places.ts';

const execute = promisify(execFile);

export interface RunResult {
  /** Exit status as runc passes it on: 128 + signal number if a signal ended the program. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface RunOptions {
  /** Given to the program after it started. */
  readonly stdin?: string | Buffer;
  /** Replaces entry point and command. */
  readonly command?: readonly string[];
  /** Added to the image's environment, `NAME=value`. */
  readonly env?: readonly string[];
  /** Ends the container after this many milliseconds (default 60 000), with an error. */
  readonly timeout?: number;
  /** `runc` or `crun`, or a path. */
  readonly runtime?: string;
}

/** What docker, podman and containerd grant by default. */
export const engineCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID ' +
  'SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

interface Manifest {
  readonly config: { readonly digest: string };
}

function blob(image: string, digest: string): string {
  return readFileSync(join(image, 'blobs', ...digest.split(':')), 'utf8');
}

/** The manifest digest and config of the image `tag` in an OCI layout. */
export function readImage(image: string, tag = 'latest'): { digest: string; config: ImageConfig } {
  const index = JSON.parse(readFileSync(join(image, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  const found = index.manifests.find(
    (entry) => entry.annotations?.['org.opencontainers.image.ref.name'] === tag,
  );
  if (found === undefined) throw new Error(`${image}: an image named ${tag} expected, none found`);
  const manifest = JSON.parse(blob(image, found.digest)) as Manifest;
  const config = JSON.parse(blob(image, manifest.config.digest)) as { config?: ImageConfig };
  return { digest: found.digest, config: config.config ?? {} };
}

interface Bundle {
  readonly folder: string;
  readonly user: { uid: number; gid: number; additionalGids?: number[] };
  readonly home: string;
}

/** Unpacks the image with umoci, once for each manifest; umoci also resolves the user by the image's own /etc/passwd. */
export async function unpackImage(image: string, tag = 'latest'): Promise<Bundle> {
  const { digest } = readImage(image, tag);
  const parent = join(cacheFolder, 'native');
  // Only root may pass: the folders below hold setuid programs and device nodes.
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const folder = join(parent, digest.replace('sha256:', ''));
  if (!existsSync(folder)) {
    const temporary = mkdtempSync(join(parent, 'unpack-'));
    try {
      await execute('umoci', ['unpack', '--image', `${image}:${tag}`, join(temporary, 'bundle')]);
      renameSync(join(temporary, 'bundle'), folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  const generated = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as {
    process: { user: Bundle['user']; env: string[] };
  };
  const home = generated.process.env.find((entry) => entry.startsWith('HOME='))?.slice(5) ?? '/';
  return { folder, user: generated.process.user, home };
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An OCI runtime configuration with the defaults of the engines, but no limits, cgroup or network. */
function runtimeConfig(
  config: ImageConfig,
  bundle: Bundle,
  args: readonly string[],
  options: RunOptions,
): object {
  const command = options.command ?? [
    ...(config.Entrypoint ?? []),
    ...(args.length > 0 ? args : (config.Cmd ?? [])),
  ];
  const image = config.Env ?? [];
  const path = image.some((entry) => entry.startsWith('PATH=')) ? [] : [defaultPath];
  const home = image.some((entry) => entry.startsWith('HOME=')) ? [] : [`HOME=${bundle.home}`];
  const capabilities = bundle.user.uid === 0 ? engineCapabilities : [];
  const mount = (destination: string, type: string, ...mountOptions: string[]): object => ({
    destination,
    type,
    source: type,
    options: mountOptions,
  });
  return {
    ociVersion: '1.0.2',
    hostname: 'native',
    root: { path: 'rootfs', readonly: false },
    process: {
      terminal: false,
      user: bundle.user,
      args: command,
      env: [...path, ...image, ...home, ...(options.env ?? [])],
      cwd: config.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir,
      capabilities: { bounding: engineCapabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: false,
    },
    mounts: [
      mount('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
      mount('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
      mount('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
      mount('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
      mount('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
      mount('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', 'ro'),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

/**
 * The container's root is an overlay over the unpacked image with its upper part in memory, in a mount namespace of its
 * own: nothing is left behind, however it ends. $1 work folder, $2 unpacked image, $3 config, $4 state folder, $5 name,
 * $6 runtime.
 */
const script = `set -e
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/bundle" "$1/bundle/rootfs"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/bundle/rootfs"
mv "$3" "$1/bundle/config.json" 2>/dev/null || cp "$3" "$1/bundle/config.json"
exec "$6" --root "$4" run --bundle "$1/bundle" "$5"`;

function collect(stream: NodeJS.ReadableStream): Buffer[] {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return chunks;
}

/** Runs the image in the OCI layout `image` with these arguments in place of its command. Needs root, runc and umoci. */
export async function runNative(
  image: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunResult> {
  const { config } = readImage(image);
  const bundle = await unpackImage(image);
  const work = mkdtempSync(join(tmpdir(), 'ensconce-native-'));
  const [root, state] = [join(work, 'root'), join(work, 'state')];
  const name = `native-${randomBytes(6).toString('hex')}`;
  const runtime = options.runtime ?? 'runc';
  try {
    mkdirSync(root);
    writeFileSync(join(work, 'config.json'), JSON.stringify(runtimeConfig(config, bundle, args, options)));
    const parts = [root, join(bundle.folder, 'rootfs'), join(work, 'config.json'), state, name, runtime];
    const child = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', '--', '/bin/sh', '-c', script, 'sh', ...parts],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    // A program that does not read its stdin closes it early.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      execFile(runtime, ['--root', state, 'kill', name, 'KILL'], () => child.kill('SIGKILL'));
    }, options.timeout ?? 60_000);
    const status = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 255));
    });
    clearTimeout(timer);
    if (timedOut)
      throw new Error(`native run: an end within ${options.timeout ?? 60_000} ms expected, none came`);
    return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

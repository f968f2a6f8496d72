import { closeSync } from 'node:fs';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { MessagePort, Transferable } from 'node:worker_threads';
import { FuseError } from './errors.ts';
import { cloneDevice, detachNow, mountDevice, openDevice, unmount } from './mount.ts';
import type { MountOptions } from './mount.ts';
import { expectSuccess, loadNative } from './native.ts';
import type { Native } from './native.ts';
import { PlacementGuard } from './placement-guard.ts';
import { placementCell, placementCells } from './placement.ts';
import { setReadAhead } from './read-ahead.ts';
import { Scheduling } from './scheduling.ts';
import { workerError } from './worker.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker.ts';

export interface ServeOptions extends MountOptions {
  readonly mountpoint: string;
  /** The module that calls `serveWorker`. */
  readonly worker: URL | string;
  /** Structured-clonable; handed to the worker's `create`. */
  readonly data: unknown;
  readonly transfer?: readonly Transferable[];
  /** How many workers serve the mount, each with a file system of its own made from the same data; 1 unless given. */
  readonly workers?: number;
  /** Bytes that the kernel reads ahead of a stream; its own choice unless given. */
  readonly readAhead?: number;
  /** Path of the FUSE device; `/dev/fuse` unless given. */
  readonly devicePath?: string;
  /** The foreign-function addon as a plain file, where the npm package is not there. */
  readonly koffiPath?: string;
  readonly log?: (line: string) => void;
  /** A message of a file system (`WorkerServices.post`); `post` answers that one worker. */
  readonly onMessage?: (value: unknown, post: (value: unknown) => void) => void;
}

export interface ServedFilesystem {
  /**
   * Unmounts and waits until the workers have finished. Without `lazy`, a file system in use stays (`FUSE_BUSY`).
   * With it, the mount goes away at once, and users that are left after `graceMs` (1000 unless given) get ENOTCONN.
   */
  unmount(options?: { readonly lazy?: boolean; readonly graceMs?: number }): Promise<void>;
  /** Resolves when the file system is no longer served: undefined after an unmount, else why. */
  readonly closed: Promise<Error | undefined>;
  /** A message to the file system (`Filesystem.message`), of every worker. */
  post(value: unknown): void;
}

const eventfdFlags = 0o2_004_000; // EFD_CLOEXEC | EFD_NONBLOCK

/** One worker and the ways to reach it. */
class Server {
  readonly ready: Promise<void>;
  readonly settled: Promise<void>;
  readonly closed: Promise<Error | undefined>;
  readonly #native: Native;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #posted = new Int32Array(new SharedArrayBuffer(4));
  readonly #wake: number;
  readonly #placement = new Int32Array(new SharedArrayBuffer(placementCells * 4));
  #guard: PlacementGuard | undefined;
  #over = false;

  constructor(native: Native, device: number, options: ServeOptions) {
    this.#native = native;
    this.#wake = expectSuccess(native.eventfd(0, eventfdFlags), 'eventfd');
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const start: WorkerStart = {
      device,
      wake: this.#wake,
      posted: this.#posted,
      port: port2,
      placement: this.#placement,
      koffiPath: options.koffiPath,
      data: options.data,
    };
    // The worker sees neither the environment nor the arguments of the process.
    this.#worker = new Worker(options.worker, {
      workerData: start,
      transferList: [port2, ...(options.transfer ?? [])],
      env: {},
      argv: [],
      // Requests leave little behind; a larger nursery would only grow the process.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const ready = Promise.withResolvers<void>();
    const settled = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<Error | undefined>();
    this.ready = ready.promise;
    this.settled = settled.promise;
    this.closed = closed.promise;
    const end = (error: Error | undefined): void => {
      if (this.#over) return;
      this.#over = true;
      this.#guard?.leave();
      const reason = error ?? workerError('it ended before it was mounted');
      ready.reject(reason);
      settled.reject(reason);
      closed.resolve(error);
      port1.close();
      closeSync(this.#wake);
    };
    // Each is awaited or superseded by `closed`; neither may end the process by itself.
    ready.promise.catch(() => undefined);
    settled.promise.catch(() => undefined);
    const take = (message: FromWorker): void => {
      if (message.kind === 'ready') {
        this.#guard = this.#guardOf();
        ready.resolve();
      } else if (message.kind === 'giving way') this.#guard?.call();
      else if (message.kind === 'settled') settled.resolve();
      else if (message.kind === 'log') options.log?.(message.line);
      else if (message.kind === 'message')
        options.onMessage?.(message.value, (value) => this.send({ kind: 'message', value }));
      else if (message.kind === 'closed') end(undefined);
      else end(workerError(message.message, message.hint));
    };
    port1.on('message', take);
    this.#worker.on('error', (cause) =>
      end(new FuseError('FUSE_WORKER', "the file system's worker: service expected, it died", { cause })),
    );
    this.#worker.on('exit', () => {
      // What the worker said last may still be on its way.
      for (let last; !this.#over && (last = receiveMessageOnPort(port1));) take(last.message as FromWorker);
      end(workerError('it ended'));
    });
  }

  /** For a worker that may give way, which it has not done yet. */
  #guardOf(): PlacementGuard | undefined {
    const thread = Atomics.load(this.#placement, placementCell.thread);
    const scheduling = thread === 0 ? undefined : Scheduling.of(this.#native, thread);
    return scheduling && new PlacementGuard(this.#placement, scheduling);
  }

  send(message: ToWorker): void {
    if (this.#over) return;
    this.#port.postMessage(message, []);
    Atomics.add(this.#posted, 0, 1);
    Atomics.notify(this.#posted, 0);
    const one = new Uint8Array(8);
    one[0] = 1;
    this.#native.write(this.#wake, one, 8);
  }

  /** Ends the worker whether or not it listens. */
  async terminate(): Promise<void> {
    this.send({ kind: 'stop' });
    await this.#worker.terminate();
  }
}

/**
 * Serves a file system on `mountpoint` by workers of this process. Resolves when it is mounted and has answered the
 * kernel for the first time. Whoever uses the mount after the process has ended gets ENOTCONN, until it is unmounted.
 *
 * @throws FuseError `FUSE_NATIVE`, `FUSE_DEVICE`, `FUSE_MOUNT` or `FUSE_WORKER`; nothing stays mounted then
 */
export async function serveFilesystem(options: ServeOptions): Promise<ServedFilesystem> {
  const native = loadNative(options.koffiPath);
  const devices = [openDevice(options.devicePath)];
  const device = devices[0] as number;
  const servers = [new Server(native, device, options)];
  let mounted = false;
  const stop = (): void => {
    for (const server of servers) server.send({ kind: 'stop' });
  };
  const finish = (): void => {
    process.off('exit', stop);
    for (const fd of devices.splice(0)) closeSync(fd);
  };
  // A worker that waits for the kernel would keep the process from ending.
  process.on('exit', stop);
  const first = servers[0] as Server;
  try {
    await first.ready;
    mountDevice(native, device, options.mountpoint, options);
    mounted = true;
    first.send({ kind: 'go' });
    await first.settled;
    if (options.readAhead !== undefined) await setReadAhead(options.mountpoint, options.readAhead);
    for (let i = 1; i < (options.workers ?? 1); i++) {
      const clone = cloneDevice(native, device, options.devicePath);
      devices.push(clone);
      const server = new Server(native, clone, options);
      servers.push(server);
      await server.ready;
      server.send({ kind: 'go' });
    }
  } catch (error) {
    if (mounted) detachNow(native, options.mountpoint);
    await Promise.all(servers.map((server) => server.terminate()));
    finish();
    throw error;
  }

  // When one server is over, so is the connection: the others end and the device is closed. The dead mount stays
  // until `unmount`: programs get ENOTCONN instead of writing plain data into the directory below.
  const closed = (async () => {
    const error = await Promise.race(servers.map((server) => server.closed));
    if (error) stop();
    await Promise.all(servers.map((server) => server.closed));
    finish();
    return error;
  })();
  return {
    closed,
    post: (value) => {
      for (const server of servers) server.send({ kind: 'message', value });
    },
    unmount: async ({ lazy = false, graceMs = 1000 } = {}) => {
      if (!mounted) return;
      await unmount(native, options.mountpoint, lazy);
      mounted = false;
      const timer = lazy ? setTimeout(stop, graceMs) : undefined;
      await closed;
      clearTimeout(timer);
    },
  };
}

import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { hintOf } from '@ensconce/base/errors';
import { FuseError } from './errors.ts';
import type { Filesystem } from './filesystem.ts';
import { runLoop } from './loop.ts';
import { loadNative } from './native.ts';
import type { Native } from './native.ts';
import { Placement } from './placement.ts';
import { Scheduling } from './scheduling.ts';

/** What the parent hands to the worker beside the file system's own data. */
export interface WorkerStart {
  readonly device: number;
  readonly wake: number;
  /** Counts what the parent has posted; see {@link WorkerServices.receive}. */
  readonly posted: Int32Array;
  readonly port: MessagePort;
  /** Cells of {@link Placement}. */
  readonly placement: Int32Array;
  readonly koffiPath: string | undefined;
  readonly data: unknown;
}

export type ToWorker =
  | { readonly kind: 'go' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'message'; readonly value: unknown };

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'settled' }
  | { readonly kind: 'giving way' }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'message'; readonly value: unknown }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string; readonly hint?: string | undefined };

/** What a file system in a worker has of its surroundings. */
export interface WorkerServices {
  /** One line of the log. */
  log(line: string): void;
  /** A message to the parent (`ServeOptions.onMessage`). */
  post(value: unknown): void;
  /** Waits for the parent's next message, at most `timeout` milliseconds; undefined when none came. */
  receive(timeout: number): unknown;
}

const spins = 150;

/**
 * The whole of a worker's entry module: makes the file system from the parent's data and serves it until it is
 * unmounted. `create` may throw; nothing has been mounted then.
 */
export function serveWorker(create: (data: unknown, services: WorkerServices) => Filesystem): void {
  const start = workerData as WorkerStart;
  const { port, posted } = start;
  const send = (message: FromWorker): void => port.postMessage(message, []);
  let filesystem: Filesystem | undefined;
  let seen = 0;
  const waiting: unknown[] = [];

  /** The parent's next message, if there is one. */
  const next = (): ToWorker | undefined => {
    const received = receiveMessageOnPort(port);
    if (received) seen++;
    return received?.message as ToWorker | undefined;
  };
  const state = { going: false, stopped: false, ending: false };
  const take = (): boolean => {
    const message = next();
    if (!message) return false;
    if (message.kind === 'go') state.going = true;
    else if (message.kind === 'stop') state.stopped = true;
    else waiting.push(message.value);
    return true;
  };
  const waitForPost = (timeout: number): boolean =>
    Atomics.load(posted, 0) !== seen || Atomics.wait(posted, 0, seen, timeout) !== 'timed-out';

  const log = (line: string): void => send({ kind: 'log', line });
  const services: WorkerServices = {
    log,
    post: (value) => send({ kind: 'message', value }),
    receive: (timeout) => {
      const end = performance.now() + timeout;
      // At the end whoever waits may wait: nothing is served any more that would have to stop.
      while (waiting.length === 0 && (!state.stopped || state.ending)) {
        if (take()) continue;
        const left = end - performance.now();
        if (left <= 0 || !waitForPost(left)) return undefined;
      }
      return waiting.shift();
    },
  };
  const attend = (): boolean => {
    while (Atomics.load(posted, 0) !== seen && take());
    while (waiting.length > 0) filesystem?.message?.(waiting.shift());
    return !state.stopped;
  };

  try {
    filesystem = create(start.data, services);
    const native = loadNative(start.koffiPath);
    const placement = placementOf(native, start, filesystem, () => send({ kind: 'giving way' }));
    send({ kind: 'ready' });
    while (!state.going && !state.stopped) if (!take()) waitForPost(Infinity);
    if (!state.stopped) {
      runLoop({
        native,
        placement,
        device: start.device,
        wake: start.wake,
        filesystem,
        log,
        attend,
        settled: () => send({ kind: 'settled' }),
        spins: availableParallelism() > 1 ? spins : 1,
        now: () => performance.now(),
      });
    }
    placement?.end();
    state.ending = true;
    filesystem.destroy?.();
    send({ kind: 'closed' });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'not an error was thrown';
    send({ kind: 'failed', message, hint: hintOf(error) });
  }
  parentPort?.close();
  port.close();
}

/** The choice of this thread's processor, where there is one and it may be made. */
function placementOf(
  native: Native,
  start: WorkerStart,
  filesystem: Filesystem,
  callGuard: () => void,
): Placement | undefined {
  const scheduling = availableParallelism() > 1 ? Scheduling.own(native) : undefined;
  return (
    scheduling &&
    new Placement({
      scheduling,
      cells: start.placement,
      callGuard,
      processor: () => filesystem.processor?.(),
      now: () => performance.now(),
      used: () => {
        const { user, system } = process.threadCpuUsage();
        return (user + system) / 1000;
      },
    })
  );
}

/** For the error that a worker reported as text. */
export function workerError(message: string, hint?: string): FuseError {
  return new FuseError('FUSE_WORKER', `the file system's worker: service expected, it failed: ${message}`, {
    hint,
  });
}

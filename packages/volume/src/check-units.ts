import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { VolumeError } from './errors.ts';
import { unitReferenceSize } from './units.ts';

/** Units to read: for each the inode and the cell that refer to it (f64 each) and the reference as it is stored. */
export const recordSize = 16 + unitReferenceSize;
const recordsPerBatch = 512;

/** What a worker needs; structured-clonable. */
export interface CheckWorkerData {
  readonly directory: string;
  readonly volumeKey: Uint8Array;
  readonly koffiPath: string | undefined;
}

/** That and, in its first cell, whether what is still to be read shall be left out. */
export interface CheckWorkerStart extends CheckWorkerData {
  readonly over: Int32Array;
}

export interface DamagedUnit {
  readonly ino: number;
  readonly cell: number;
  readonly reason: string;
}

/** What a worker answers for each batch. */
export interface BatchResult {
  readonly bytes: number;
  readonly damaged: readonly DamagedUnit[];
}

/** Has worker threads read units, while the caller goes on finding more of them. */
export class UnitCheck {
  readonly #data: CheckWorkerData;
  readonly #count: number;
  readonly #over = new Int32Array(new SharedArrayBuffer(4));
  readonly #workers: Worker[] = [];
  readonly #damaged: DamagedUnit[] = [];
  #batch = new Uint8Array(recordSize * recordsPerBatch);
  #records = 0;
  #given = 0;
  #answered = 0;
  #bytes = 0;
  #progress: (bytes: number) => void = () => undefined;
  readonly #done = Promise.withResolvers<void>();
  #ending = false;

  constructor(data: CheckWorkerData, count = availableParallelism()) {
    this.#data = data;
    this.#count = Math.max(1, count);
    // Whoever waits for the end hears of a failure there.
    this.#done.promise.catch(() => undefined);
  }

  /** The worker whose turn it is; each is made when there is something for it to do. */
  #next(): Worker {
    const turn = this.#given++ % this.#count;
    return (this.#workers[turn] ??= this.#start());
  }

  #start(): Worker {
    const worker = new Worker(new URL('check-worker.ts', import.meta.url), {
      workerData: { ...this.#data, over: this.#over } satisfies CheckWorkerStart,
      env: {},
      argv: [],
    });
    worker.on('message', (result: BatchResult) => this.#take(result));
    worker.on('error', (cause) =>
      this.#done.reject(
        new VolumeError('VOLUME_FAILED', 'check: a worker that reads expected, it failed', { cause }),
      ),
    );
    return worker;
  }

  /** A unit that a cell refers to; `reference` is its 32 bytes. */
  add(ino: number, cell: number, reference: Uint8Array): void {
    const at = this.#records * recordSize;
    const view = new DataView(this.#batch.buffer);
    view.setFloat64(at, ino);
    view.setFloat64(at + 8, cell);
    this.#batch.set(reference, at + 16);
    if (++this.#records === recordsPerBatch) this.#give();
  }

  #give(): void {
    if (this.#records === 0) return;
    const batch = this.#batch.subarray(0, this.#records * recordSize);
    this.#next().postMessage(batch, [this.#batch.buffer]);
    this.#batch = new Uint8Array(recordSize * recordsPerBatch);
    this.#records = 0;
  }

  #take({ bytes, damaged }: BatchResult): void {
    this.#answered++;
    this.#bytes += bytes;
    this.#damaged.push(...damaged);
    this.#progress(this.#bytes);
    if (this.#ending && this.#answered === this.#given) this.#done.resolve();
  }

  /** Resolves to what is damaged when every unit has been read. `progress` is told the bytes that were. */
  async finish(progress: (bytes: number) => void): Promise<readonly DamagedUnit[]> {
    this.#progress = progress;
    this.#give();
    this.#ending = true;
    if (this.#answered === this.#given) this.#done.resolve();
    await this.#done.promise;
    return this.#damaged.toSorted((a, b) => a.ino - b.ino || a.cell - b.cell);
  }

  /** Ends the workers. Each ends by itself: one that is ended while it loads an addon takes the process with it. */
  async close(): Promise<void> {
    Atomics.store(this.#over, 0, 1);
    await Promise.all(
      this.#workers.map(
        (worker) =>
          new Promise<void>((resolve) => {
            worker.once('exit', () => resolve());
            if (worker.threadId < 0) resolve();
            else worker.postMessage(undefined, []);
          }),
      ),
    );
  }
}

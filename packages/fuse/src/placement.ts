import { processorOf } from './scheduling.ts';
import type { Scheduling } from './scheduling.ts';

/** Requests over which it is judged who asks. */
const span = 32;
/** Requests after which one who was quiet for a while is known again. */
const shortSpan = 8;
/** Changes of who asks that as many requests may have: one shell or `xargs` after another, but not two at a time. */
const mostChanges = 4;
/** Requests of a span that waited for the disk, if those who ask are the clients of a database. */
const fewFlushes = 4;
/** Who comes before everybody takes no more than this part of a processor in so many milliseconds … */
const mostOfProcessor = 0.5;
const measured = 250;
/** … or is one among the others for so long. */
const modestFor = 1000;
/** Reads of at least so many bytes come from the kernel's read-ahead, while the program goes on … */
const largeRead = 64 * 1024;
/** … and so many of them in a span make a stream, which two processors carry faster than one. */
const mostLargeReads = 8;
/** Milliseconds that a request may take with all that its program does before the next one. */
const pace = 0.5;
/** Misses after which it is looked where the asker runs: so few where he had gone elsewhere, up to so many where he had not. */
const fewMisses = 2;
const mostMisses = 64;
/** Spans that are waited for at most after the guard had to step in: two to this power. */
const mostStrikes = 8;

/** Cells that the worker shares with its guard. */
export const placementCell = { beside: 0, served: 1, thread: 2, guarded: 3 } as const;
export const placementCells = 4;

export interface PlacementOptions {
  readonly scheduling: Pick<Scheduling, 'thread' | 'giveWayOn' | 'comeFirst' | 'hurry' | 'restore'>;
  /** Shared with the {@link PlacementGuard}. */
  readonly cells: Int32Array;
  /** Calls the guard, who looks from then on. */
  readonly callGuard: () => void;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Milliseconds that this thread has had a processor. */
  readonly used: () => number;
  /** The processor to which what this thread waits for says that it is done, if it is one. */
  readonly processor?: () => number | undefined;
  /** The processor of a thread, or -1. */
  readonly processorOf?: (thread: number) => number;
}

/**
 * Where the thread that serves runs: apart from whoever asks, or beside him on his processor.
 *
 * Waking somebody on another processor costs many times what changing to him on one's own does, and one request after the
 * other of one program keeps only one of both busy anyway. But the kernel wakes a thread where a processor is idle, and so
 * never beside the one who wakes it, unless that one gives way to everybody (SCHED_IDLE). So does this thread while a single
 * program asks one thing after the other. It would starve beside a program that computes; {@link PlacementGuard} sees that,
 * and the thread itself goes apart when it is quiet, when somebody else asks, or when requests come slowly.
 */
export class Placement {
  readonly #options: PlacementOptions;
  readonly #processorOf: (thread: number) => number;
  #beside = false;
  #processor = -1;
  #asker = 0;
  #served = 0;
  #span = span;
  #count = 0;
  /** Requests since it was last judged whether several ask at a time, and how often they took turns. */
  #asked = 0;
  #turns = 0;
  #flushes = 0;
  #several = false;
  #hurries = false;
  #comesFirst = false;
  /** When it may come first. */
  #firstAgainAt = 0;
  /** Since when it is measured what it takes of a processor, and what it had taken before. */
  #measuredSince = 0;
  #usedBefore = 0;
  #largeReads = 0;
  /** When the last request was answered, and how long the others of the span took. */
  #answered = 0;
  #took = 0;
  /** How often he had not asked again when it was this thread's turn, since it was last looked where he runs. */
  #misses = 0;
  #missesToLook = fewMisses;
  #strikes = 0;
  /** Spans to wait. */
  #penalty = 0;

  constructor(options: PlacementOptions) {
    this.#options = options;
    this.#processorOf = options.processorOf ?? processorOf;
    options.cells[placementCell.thread] = options.scheduling.thread;
  }

  /** Whether the thread runs beside the one who asks: looking for requests is useless then, he cannot run meanwhile. */
  get beside(): boolean {
    return this.#beside;
  }

  /**
   * A request of thread `asker` (0: of the kernel) was answered, with `size` bytes of result. One that waited for the disk
   * says nothing of how quickly the others come.
   */
  served(asker: number, size: number, waited: boolean): void {
    this.#options.cells[placementCell.served] = ++this.#served;
    const now = this.#options.now();
    const took = now - this.#answered;
    this.#answered = now;
    if (asker === 0) return;
    // Also those who wait for the disk: the clients of a database do so in turn.
    const changed = asker !== this.#asker;
    this.#asker = asker;
    this.#countTurn(changed, waited);
    if (waited) return;
    if (this.#count++ === 0) this.#took = this.#largeReads = 0;
    else this.#took += took;
    if (size >= largeRead) this.#largeReads++;
    if (changed && this.#beside) this.#follow();
    if (this.#count >= this.#span) this.#judge();
  }

  /** Whether the thread hurries: looking for requests would keep those from running who make them. */
  get hurries(): boolean {
    return this.#hurries;
  }

  /** Whoever asks has not asked again, though he had his turn: he may run elsewhere by now. */
  missed(): void {
    if (++this.#misses < this.#missesToLook) return;
    this.#misses = 0;
    const before = this.#processor;
    this.#follow();
    this.#missesToLook =
      this.#processor === before ? Math.min(mostMisses, this.#missesToLook * 2) : fewMisses;
  }

  /** Nobody has asked for a while. */
  quiet(): void {
    if (!this.#beside) return;
    if (this.#wasRescued) this.#strike();
    this.#apart();
    this.#count = 0;
    this.#span = shortSpan;
  }

  /** The thread ends. */
  end(): void {
    if (this.#beside || this.#hurries) this.#apart();
  }

  /** Whether the guard was here. */
  get #wasRescued(): boolean {
    return Atomics.load(this.#options.cells, placementCell.beside) === 0;
  }

  /** Finds out whether several ask at a time, and whether they wait for each other's flushes. */
  #countTurn(changed: boolean, waited: boolean): void {
    if (changed) this.#turns++;
    if (waited) this.#flushes++;
    if (this.#turns > mostChanges) {
      this.#several = true;
      if (this.#beside) this.#apart();
    }
    if (++this.#asked < span) return;
    this.#several = this.#turns > mostChanges;
    const hurries = this.#several && this.#flushes >= fewFlushes;
    if (hurries) this.#hurry();
    else if (this.#hurries) this.#apart();
    this.#asked = this.#turns = this.#flushes = 0;
  }

  /** Comes before everybody, where it may and while it takes little; else soon. */
  #hurry(): void {
    const { scheduling, now, used, processor } = this.#options;
    const time = now();
    const passed = time - this.#measuredSince;
    if (this.#comesFirst && passed >= measured) {
      const use = used();
      if (use - this.#usedBefore > passed * mostOfProcessor) {
        this.#comesFirst = this.#hurries = false;
        this.#firstAgainAt = time + modestFor;
        // The disk may tell another processor by now.
      } else scheduling.comeFirst(processor?.());
      this.#measuredSince = time;
      this.#usedBefore = use;
    }
    if (!this.#comesFirst && time >= this.#firstAgainAt) {
      this.#comesFirst = scheduling.comeFirst(processor?.());
      if (!this.#comesFirst) this.#firstAgainAt = Infinity;
      this.#measuredSince = time;
      this.#usedBefore = used();
    }
    if (!this.#comesFirst && !this.#hurries) scheduling.hurry();
    this.#hurries = true;
  }

  #judge(): void {
    const calm = !this.#several && this.#largeReads < mostLargeReads;
    const suits = calm && this.#took <= this.#count * pace;
    this.#count = 0;
    this.#span = span;
    if (this.#beside && !suits) {
      if (calm || this.#wasRescued) this.#strike();
      this.#apart();
    } else if (this.#beside) {
      if (this.#strikes > 0) this.#strikes -= 1 / 16;
      this.#follow();
    } else if (this.#penalty > 0) this.#penalty--;
    else if (suits) this.#follow();
  }

  #strike(): void {
    this.#strikes = Math.min(mostStrikes, this.#strikes + 1);
    this.#penalty = 2 ** Math.ceil(this.#strikes);
  }

  /** Goes to where the asker runs, unless the guard has seen it starve there. */
  #follow(): void {
    const { cells, scheduling } = this.#options;
    if (this.#beside && this.#wasRescued) {
      this.#beside = false;
      this.#strike();
      return;
    }
    const processor = this.#processorOf(this.#asker);
    if (this.#beside && processor === this.#processor) return;
    if (processor < 0) {
      this.end();
      return;
    }
    Atomics.store(cells, placementCell.beside, 1);
    if (Atomics.load(cells, placementCell.guarded) === 0) this.#options.callGuard();
    this.#beside = true;
    this.#hurries = this.#comesFirst = false;
    this.#processor = processor;
    // The guard may have been quicker than the two calls.
    if (!scheduling.giveWayOn(processor) || this.#wasRescued) this.#apart();
  }

  #apart(): void {
    this.#beside = this.#hurries = this.#comesFirst = false;
    this.#processor = -1;
    this.#options.scheduling.restore();
    Atomics.store(this.#options.cells, placementCell.beside, 0);
  }
}

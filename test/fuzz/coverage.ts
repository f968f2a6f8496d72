import { Session } from 'node:inspector';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

/** Which parts of the sources under `part` have run: V8's own block coverage, read between runs. */
export class Coverage {
  readonly #session = new Session();
  readonly #part: string;
  readonly #seen = new Set<string>();

  constructor(part: string) {
    this.#part = part;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many blocks ran since the last call that never ran before. */
  fresh(): number {
    let scripts: readonly ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (_error, answer) => {
      scripts = (answer as unknown as { result: ScriptCoverage[] }).result;
    });
    const before = this.#seen.size;
    for (const { url, functions } of scripts) {
      if (!url.includes(this.#part)) continue;
      for (const { ranges } of functions) {
        for (const range of ranges)
          if (range.count > 0) this.#seen.add(`${url}:${range.startOffset}:${range.endOffset}`);
      }
    }
    return this.#seen.size - before;
  }

  get size(): number {
    return this.#seen.size;
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }
}

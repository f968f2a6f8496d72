import * as v from 'valibot';
import { CasError } from '../errors.ts';
import type { Serial } from '../state/serial.ts';
import type { Store } from '../store/store.ts';

const table = 'singleton';
const singleton = v.strictObject({
  /** The instance that counts, by the key of its connections. */
  instance: v.string(),
  /** How many starts there were. */
  starts: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
});

/** A service by the immutable id of its session: what the claim is kept under. `text` is what people call it. */
export interface SingleService {
  readonly sessionId: string;
  readonly service: string;
  readonly text: string;
}

/**
 * Services of which one instance counts (`singleton_enclaves`): the one that started last. Which one that is stands in the
 * database, so a superseded instance is not served again after a restart of CAS either.
 */
export class Singletons {
  readonly #store: Store;
  readonly #writes: Serial;
  readonly #open = new Map<string, { readonly instance: string; readonly supersede: () => void }>();

  constructor(store: Store, writes: Serial) {
    this.#store = store;
    this.#writes = writes;
  }

  /** Makes `instance` the one that counts; one that connects again must be it still. On disk before this returns. */
  claim(service: SingleService, instance: string, again: boolean): Promise<void> {
    return this.#writes.run(async () => {
      const name = nameOf(service);
      const before = this.#read(name);
      if (before?.instance === instance) return;
      if (again) {
        throw new CasError(
          'CAS_SERVICE_REFUSED',
          `service '${service.text}': the instance that started last expected, an earlier one found`,
          { hint: 'singleton_enclaves: a newer start has superseded this one' },
        );
      }
      this.#store.commit(
        [{ table, name, value: { instance, starts: (before?.starts ?? 0) + 1 } }],
        undefined,
      );
      this.#open.get(name)?.supersede();
    });
  }

  /** Tells a connection that serves the instance when another supersedes it; what is returned ends that. */
  watch(service: SingleService, instance: string, supersede: () => void): () => void {
    const name = nameOf(service);
    const entry = { instance, supersede };
    // It may have been superseded between its claim and now.
    if (this.#read(name)?.instance !== instance) {
      supersede();
      return () => undefined;
    }
    this.#open.set(name, entry);
    return () => {
      if (this.#open.get(name) === entry) this.#open.delete(name);
    };
  }

  #read(name: string): v.InferOutput<typeof singleton> | undefined {
    const record = this.#store.get(table, name);
    if (record === undefined) return undefined;
    const parsed = v.safeParse(singleton, record);
    if (parsed.success) return parsed.output;
    throw new CasError('CAS_STATE_CORRUPT', 'singleton record: another form expected');
  }
}

const nameOf = ({ sessionId, service }: SingleService): string => `${sessionId}/${service}`;

import * as v from 'valibot';
import type { Serial } from '../state/serial.ts';
import type { State } from '../state/state.ts';

/** One side of an import: a session of this CAS or of another one. */
export interface Side {
  readonly name: string;
  /** Immutable. */
  readonly id: string;
  /** Key hash of the other CAS that it is of. */
  readonly cas?: string | undefined;
}

/** What a session of this CAS has to do with another one: it imports from it, or exports to it. */
export interface Binding {
  readonly as: 'importer' | 'exporter';
  /** The session of this CAS. */
  readonly own: Side;
  readonly other: Side;
}

const stored = v.strictObject({ id: v.string() });

/**
 * To which sessions imports and exports are bound: a name in a policy means the session that had it when the import was
 * first resolved, for ever. Whoever has the name afterwards, by whatever way, is somebody else. Table `binding`.
 */
export class Bindings {
  readonly #state: State;
  readonly #writes: Serial;

  constructor(state: State, writes: Serial) {
    this.#state = state;
    this.#writes = writes;
  }

  /** Whether the other session is the one that is bound, or none is yet. */
  allows(binding: Binding): boolean {
    const bound = this.#bound(binding);
    return bound === undefined || bound === binding.other.id;
  }

  /** Binds what is not bound yet; durable when it resolves. `false` where another session is bound already. */
  async bind(bindings: readonly Binding[]): Promise<boolean> {
    if (bindings.every((binding) => this.#bound(binding) === binding.other.id)) return true;
    return this.#writes.run(async () => {
      if (!bindings.every((binding) => this.allows(binding))) return false;
      const open = bindings.filter((binding) => this.#bound(binding) === undefined);
      const [first] = open;
      if (first === undefined) return true;
      const { as, own, other } = first;
      const [importer, exporter] = as === 'importer' ? [own, other] : [other, own];
      const position = await this.#state.audit.append(
        {
          type: 'Import bound',
          importer: importer.name,
          exporter: exporter.name,
          ...(other.cas === undefined ? {} : { cas: other.cas }),
        },
        this.#state.store.sequence + 1,
      );
      const changes = open.map((binding) => ({
        table: 'binding',
        name: nameOf(binding),
        value: { id: binding.other.id },
      }));
      this.#state.store.commit(changes, position);
      return true;
    });
  }

  #bound(binding: Binding): string | undefined {
    const value = this.#state.store.get('binding', nameOf(binding));
    return value === undefined ? undefined : v.parse(stored, value).id;
  }
}

/** Session names hold no blank. */
const nameOf = ({ as, own, other }: Binding): string => `${as} ${own.id} ${other.cas ?? ''} ${other.name}`;

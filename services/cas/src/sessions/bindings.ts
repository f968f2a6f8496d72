import * as v from 'valibot';
import type { AuditEvent } from '@ensconce/audit/event';
import type { Party } from '@ensconce/secrets/export';
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
    return allows(this.#state, binding);
  }

  /** Binds what is not bound yet; durable when it resolves. `false` where another session is bound already. */
  async bind(bindings: readonly Binding[]): Promise<boolean> {
    if (bindings.every((binding) => this.#bound(binding) === binding.other.id)) return true;
    return this.#writes.run(async () => {
      if (!bindings.every((binding) => this.allows(binding))) return false;
      const open = bindings.filter((binding) => this.#bound(binding) === undefined);
      if (open.length === 0) return true;
      const { audit, store } = this.#state;
      const announced = open.map((binding) => audit.append(eventOf(binding), store.sequence + 1));
      const position = (await Promise.all(announced)).at(-1);
      const changes = open.map((binding) => ({
        table: 'binding',
        name: nameOf(binding),
        value: { id: binding.other.id },
      }));
      store.commit(changes, position);
      return true;
    });
  }

  #bound(binding: Binding): string | undefined {
    return bound(this.#state, binding);
  }
}

/** As {@link Bindings.allows}, for those who only look. */
export function allows(state: State, binding: Binding): boolean {
  const id = bound(state, binding);
  return id === undefined || id === binding.other.id;
}

function bound(state: State, binding: Binding): string | undefined {
  const value = state.store.get('binding', nameOf(binding));
  return value === undefined ? undefined : v.parse(stored, value).id;
}

/** One side of an import, of this CAS. */
export const sideOf = ({ session, id }: Party): Side => ({ name: session.name, id });

/** An import inside this CAS binds both ends. */
export function between(importer: Party, exporter: Party): readonly Binding[] {
  const [a, b] = [sideOf(importer), sideOf(exporter)];
  return [
    { as: 'importer', own: a, other: b },
    { as: 'exporter', own: b, other: a },
  ];
}

function eventOf({ as, own, other }: Binding): AuditEvent {
  const { name, cas } = other;
  return { type: 'Import bound', session: own.name, as, other: name, ...(cas !== undefined && { cas }) };
}

/** Session names hold no blank. */
const nameOf = ({ as, own, other }: Binding): string => `${as} ${own.id} ${other.cas ?? ''} ${other.name}`;

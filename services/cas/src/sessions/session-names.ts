import { namespaceOf } from './namespace.ts';
import type { StoredName } from './session-record.ts';

/** A page of names in the order of their code units, and whether there are more behind it. */
export interface NamePage {
  readonly names: readonly string[];
  readonly more: boolean;
}

/**
 * Which sessions there are, by namespace and by creator. In memory, because on disk names are not readable and so have
 * no order; some 150 bytes a session.
 */
export class SessionNames {
  readonly #namespaces = new Map<string, string[]>();
  readonly #creators = new Map<string, string[]>();

  /** Takes all names at once; the order of `names` does not matter. */
  static of(names: Iterable<StoredName>): SessionNames {
    const index = new SessionNames();
    for (const entry of names) {
      if (entry.deleted) continue;
      for (const group of index.#groupsOf(entry)) group.push(entry.name);
    }
    for (const group of [...index.#namespaces.values(), ...index.#creators.values()]) group.sort(byUnits);
    return index;
  }

  /** How many sessions there are. */
  get present(): number {
    let count = 0;
    for (const { length } of this.#namespaces.values()) count += length;
    return count;
  }

  set(entry: StoredName): void {
    for (const group of this.#groupsOf(entry)) {
      const at = firstFrom(group, entry.name);
      const present = group[at] === entry.name;
      if (entry.deleted && present) group.splice(at, 1);
      else if (!entry.deleted && !present) group.splice(at, 0, entry.name);
    }
  }

  /** Names in a namespace behind `after`; a session that comes or goes meanwhile moves no other one. */
  inNamespace(namespace: string, after: string, limit: number): NamePage {
    return page(this.#namespaces.get(namespace) ?? [], after, limit);
  }

  /** Top-level names that this key created. */
  createdBy(keyHash: string, after: string, limit: number): NamePage {
    return page(this.#creators.get(keyHash) ?? [], after, limit);
  }

  #groupsOf({ name, creator }: StoredName): string[][] {
    const namespace = namespaceOf(name);
    if (namespace === undefined) return [];
    const groups = [group(this.#namespaces, namespace)];
    if (!name.includes('/')) groups.push(group(this.#creators, creator));
    return groups;
  }
}

function group(groups: Map<string, string[]>, key: string): string[] {
  let members = groups.get(key);
  if (members === undefined) groups.set(key, (members = []));
  return members;
}

function page(names: readonly string[], after: string, limit: number): NamePage {
  let from = firstFrom(names, after);
  if (names[from] === after) from++;
  return { names: names.slice(from, from + limit), more: from + limit < names.length };
}

const byUnits = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Where `name` stands or would stand. */
function firstFrom(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

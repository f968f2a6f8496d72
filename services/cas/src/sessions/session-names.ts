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
  /** The session of the root namespace stands in none. */
  readonly #namespaces = new Map<string | undefined, string[]>();
  readonly #creators = new Map<string, string[]>();
  readonly #deleted = new Set<string>();
  #present = 0;

  /** Takes all names at once; the order of `names` does not matter. */
  static of(names: Iterable<StoredName>): SessionNames {
    const index = new SessionNames();
    for (const entry of names) {
      if (entry.deleted) {
        index.#deleted.add(entry.name);
        continue;
      }
      index.#present++;
      for (const group of index.#groupsOf(entry)) group.push(entry.name);
    }
    for (const group of [...index.#namespaces.values(), ...index.#creators.values()]) group.sort(byUnits);
    return index;
  }

  /** How many sessions there are. */
  get present(): number {
    return this.#present;
  }

  /** How many names are taken: by sessions that there are, or were. */
  get taken(): number {
    return this.#present + this.#deleted.size;
  }

  set(entry: StoredName): void {
    const { name, deleted } = entry;
    if (deleted) this.#deleted.add(name);
    else this.#deleted.delete(name);
    const groups = this.#groupsOf(entry);
    const [first] = groups;
    if ((first[firstFrom(first, name)] === name) === !deleted) return;
    this.#present += deleted ? -1 : 1;
    for (const group of groups) {
      if (deleted) group.splice(firstFrom(group, name), 1);
      else group.splice(firstFrom(group, name), 0, name);
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

  #groupsOf({ name, creator }: StoredName): [string[], ...string[][]] {
    const namespace = group(this.#namespaces, namespaceOf(name));
    return name.includes('/') ? [namespace] : [namespace, group(this.#creators, creator)];
  }
}

function group<Key>(groups: Map<Key, string[]>, key: Key): string[] {
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

import type { Session } from '../session.ts';
import type { Findings, Place, Suggestion } from '../form/place.ts';
import { entryOf, type YamlNode } from '../yaml/node.ts';

/** A rule over the whole session. It reports and never throws. */
export type Check = (session: Session, report: Report) => void;

/** Reports at the place where a part of the session was read. */
export class Report {
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** @param key the key of `part` that is meant, where there is one. */
  error(part: object, key: string | undefined, message: string, suggestion?: Suggestion): void {
    const { node, place } = this.#locate(part, key);
    place.error(node.offset, message, suggestion);
  }

  warning(part: object, key: string | undefined, message: string, suggestion?: Suggestion): void {
    const { node, place } = this.#locate(part, key);
    place.warning(node.offset, message, suggestion);
  }

  /** Whether the text has this key, even if its value could not be used. */
  has(part: object, key: string): boolean {
    const origin = this.#findings.origin(part);
    return origin !== undefined && entryOf(origin.node, key) !== undefined;
  }

  #locate(part: object, key: string | undefined): { readonly node: YamlNode; readonly place: Place } {
    const origin = this.#findings.origin(part);
    if (!origin) throw new TypeError('a part of the session that was read from text expected');
    const entry = key === undefined ? undefined : entryOf(origin.node, key);
    if (!entry || key === undefined) return origin;
    return { node: entry.value, place: origin.place.key(key) };
  }
}

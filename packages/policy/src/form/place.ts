import type { Problem } from '../problem.ts';
import type { YamlNode } from '../yaml/node.ts';
import { limits } from '../yaml/limits.ts';

/** What was probably meant; asked only for problems that are listed. */
export type Suggestion = () => string | undefined;

/** Collects the problems of one text, and remembers where each object that a form made stood. */
export class Findings {
  readonly #lineStarts: readonly number[];
  readonly #problems: Problem[] = [];
  readonly #origins = new WeakMap<object, { readonly node: YamlNode; readonly place: Place }>();
  #unreported = 0;
  #errors = 0;

  constructor(text: string) {
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** In the order of the text; warnings and errors together. */
  get problems(): readonly Problem[] {
    const sorted = this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    if (this.#unreported > 0) {
      sorted.push({
        severity: 'error',
        ...this.position(0),
        path: '',
        message: `at most ${limits.problems} problems are listed, ${this.#unreported} more found`,
      });
    }
    return sorted;
  }

  position(offset: number): { readonly line: number; readonly column: number } {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#lineStarts[low] as number) + 1 };
  }

  add(
    severity: Problem['severity'],
    offset: number,
    path: string,
    message: string,
    suggestion?: Suggestion,
  ): void {
    if (severity === 'error') this.#errors++;
    if (this.#problems.length >= limits.problems) {
      if (severity === 'error') this.#unreported++;
      return;
    }
    const meant = suggestion?.();
    this.#problems.push({
      severity,
      ...this.position(offset),
      path,
      message,
      ...(meant === undefined ? {} : { suggestion: meant }),
    });
  }

  keepOrigin(value: object, node: YamlNode, place: Place): void {
    this.#origins.set(value, { node, place });
  }

  origin(value: object): { readonly node: YamlNode; readonly place: Place } | undefined {
    return this.#origins.get(value);
  }
}

/** Where reading stands: the path for people and the collector of problems. */
export class Place {
  readonly findings: Findings;
  readonly path: string;

  constructor(findings: Findings, path: string) {
    this.findings = findings;
    this.path = path;
  }

  key(key: string): Place {
    const shown = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key.slice(0, 60));
    return new Place(this.findings, this.path === '' ? shown : `${this.path}.${shown}`);
  }

  item(index: number): Place {
    return new Place(this.findings, `${this.path}[${index}]`);
  }

  error(offset: number, message: string, suggestion?: Suggestion): void {
    this.findings.add('error', offset, this.path, message, suggestion);
  }

  warning(offset: number, message: string, suggestion?: Suggestion): void {
    this.findings.add('warning', offset, this.path, message, suggestion);
  }
}

const part = /\{([a-zA-Z]+)\}/g;

/** The parts of a path, still percent-encoded, or undefined where it is not of the template. */
export type PathMatcher = (path: string) => Readonly<Record<string, string>> | undefined;

/** Reads paths of a row's template. A part takes everything, slashes included: names of sessions have them. */
export function pathMatcher(template: string): PathMatcher {
  const names: string[] = [];
  const pattern = template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(part, (_, name: string) => {
    names.push(name);
    // `values/session=a,secret=b` is another row than `values/session=a`.
    return template.includes('=') ? '([^,]+)' : '(.+)';
  });
  const expression = new RegExp(`^${pattern}$`);
  return (path) => {
    const match = expression.exec(path);
    if (match === null) return undefined;
    return Object.fromEntries(names.map((name, at) => [name, match[at + 1] as string]));
  };
}

/** The path of a template with its parts filled in, percent-encoded. */
export function fillPath(template: string, parts: Readonly<Record<string, string>>): string {
  return template.replaceAll(part, (_, name: string) => {
    const value = parts[name];
    if (value === undefined) throw new TypeError(`path ${template}: a value of ${name} expected`);
    return encodeURIComponent(value);
  });
}

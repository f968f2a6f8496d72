export const rootNamespace = '/';

/** The session whose namespace `name` stands in; undefined for the root namespace itself. */
export function namespaceOf(name: string): string | undefined {
  if (name === rootNamespace) return undefined;
  const slash = name.lastIndexOf('/');
  return slash < 0 ? rootNamespace : name.slice(0, slash);
}

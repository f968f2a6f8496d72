/** Deeply frozen: what is shared between requests can be changed by none. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) freeze(child);
  }
  return value;
}

/** A copy in which absent values have no key, as JSON has it. */
export function compact<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => compact(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const present = Object.entries(value).filter(([, child]) => child !== undefined);
  return Object.fromEntries(present.map(([key, child]) => [key, compact(child)])) as T;
}

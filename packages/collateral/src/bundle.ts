import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { CollateralError } from './errors.ts';
import { parseStored, storedToJson, type Store } from './disk.ts';

/** Bytes. */
const bundleLimit = 64 * 1024 * 1024;
const schema = v.strictObject({
  format: v.literal('ensconce-collateral-bundle/1'),
  entries: v.pipe(v.array(v.unknown()), v.maxLength(10_000)),
});

/** Everything in a store as one file, to be carried to a machine without a network. */
export function exportBundle(store: Store): string {
  const entries = store
    .all()
    .sort((a, b) => (a.url < b.url ? -1 : 1))
    .map((entry) => storedToJson(entry));
  return `${JSON.stringify({ format: 'ensconce-collateral-bundle/1', entries }, undefined, 1)}\n`;
}

/** Puts the entries of a bundle into a store; older ones than those that are there are left out. Gives how many were taken. */
export function importBundle(store: Store, file: Uint8Array): number {
  const result = v.safeParse(schema, parseJson(file, 'collateral bundle', bundleLimit));
  if (!result.success)
    throw new CollateralError(
      'COLLATERAL_BUNDLE',
      'collateral bundle: format ensconce-collateral-bundle/1 expected, something else found',
    );
  let taken = 0;
  for (const value of result.output.entries) {
    const entry = parseStored(value);
    if (entry === undefined)
      throw new CollateralError(
        'COLLATERAL_BUNDLE',
        'collateral bundle: entries with url, headers and body expected, something else found',
      );
    const known = store.get(entry.url);
    if (known !== undefined && known.fetchedAt >= entry.fetchedAt) continue;
    store.set(entry);
    taken++;
  }
  return taken;
}

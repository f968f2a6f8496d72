import type { Json } from '@ensconce/base/json';
import type { Io } from '../io.ts';

/** Writes what a verb found: JSON where asked for, else words. */
export function writeResult(
  io: Io,
  options: { readonly json?: boolean },
  value: Json,
  words: () => string,
): void {
  io.stdout(options.json === true ? `${JSON.stringify(value, null, 2)}\n` : `${words()}\n`);
}

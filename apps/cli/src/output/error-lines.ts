import { causeChain, EnsconceError, hintOf } from '@ensconce/base/errors';
import { printable } from './printable.ts';

/** An error as the command line shows it: one line with its causes, one with what to do. */
export function errorLines(error: unknown): string {
  const chain = error instanceof EnsconceError ? causeChain(error) : [unexpected(error)];
  const hint = hintOf(error);
  const first = `error: ${printable(chain.join(': '))}\n`;
  return hint === undefined ? first : `${first}hint: ${printable(hint)}\n`;
}

function unexpected(error: unknown): string {
  return `this should not have happened: ${error instanceof Error ? (error.stack ?? error.message) : 'no error'}`;
}

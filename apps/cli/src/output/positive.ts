import { InvalidArgumentError } from 'commander';

/** For options that take a number from 1. */
export function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A number from 1 expected.');
  return Number(text);
}

import { InvalidArgumentError, Option, type Command } from 'commander';
import { keyHashOfDigest, keyHashPattern } from '@ensconce/policy/key-hash';
import type { SignatureScope } from '@ensconce/policy/signature';
import { fromHex } from '@ensconce/base/bytes';
import type { Io } from '../io.ts';
import { attestedCasOf } from '../state/attested-cas.ts';

export interface ScopeOptions {
  readonly cas?: string;
  readonly casKey?: string;
  readonly expires: Lifetime;
}

/** Milliseconds from now, or a moment. */
export type Lifetime = number | Date;

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `7d`, `12h`, `30m`, or an ISO 8601 moment in UTC with whole seconds. */
export function lifetime(text: string): Lifetime {
  const [, count, unit] = /^([1-9][0-9]{0,3})([mhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * (units[unit] as number);
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && !Number.isNaN(Date.parse(text)))
    return new Date(text);
  throw new InvalidArgumentError('a time like 7d, 12h, 30m or 2030-01-31T00:00:00Z expected.');
}

/** The same without moments, in seconds. */
export function span(text: string): number {
  const value = lifetime(text);
  if (typeof value === 'number') return value / 1000;
  throw new InvalidArgumentError('a time like 30m, 12h or 7d expected.');
}

/** Adds the options that say for which CAS, and until when, a signature is. */
export function withScopeOptions(command: Command): Command {
  return command
    .option('-c, --cas <address>', 'the CAS that it is for; by default the one attested last')
    .option(
      '--cas-key <hash>',
      'its key hash instead, for a CAS that was not attested from here',
      keyHashOption,
    )
    .addOption(
      new Option('--expires <time>', 'until when CAS takes it: 7d, 12h, 30m, or 2030-01-31T00:00:00Z')
        .argParser(lifetime)
        .default(lifetime('7d'), '7d'),
    );
}

export function scopeOf(io: Io, options: ScopeOptions): SignatureScope {
  const { expires } = options;
  return {
    cas: options.casKey ?? keyHashOfDigest(fromHex(attestedCasOf(io, options.cas).entry.identity, 32)),
    expires: typeof expires === 'number' ? new Date(io.now().getTime() + expires) : expires,
  };
}

function keyHashOption(text: string): string {
  if (keyHashPattern.test(text)) return text;
  throw new InvalidArgumentError('a key hash (32 to 44 characters of base58) expected.');
}

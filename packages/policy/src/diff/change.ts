import { equalBytes } from '@ensconce/base/bytes';
import { canonicalJson, type Json } from '@ensconce/base/json';

/** One thing that an update changes, in words. Never a secret value, nor what a variable or file is set to. */
export interface Change {
  readonly about: 'session' | 'access' | 'trust' | 'service' | 'image' | 'secret' | 'volume';
  /** Whether somebody may get more than before. */
  readonly widens: boolean;
  readonly text: string;
}

export function compare(
  before: readonly string[],
  after: readonly string[],
): { readonly added: string[]; readonly removed: string[] } {
  return {
    added: after.filter((item) => !before.includes(item)),
    removed: before.filter((item) => !after.includes(item)),
  };
}

export function pair<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): { readonly added: T[]; readonly removed: T[]; readonly kept: (readonly [T, T])[] } {
  return {
    added: after.filter(({ name }) => !before.some((old) => old.name === name)),
    removed: before.filter(({ name }) => !after.some((now) => now.name === name)),
    kept: after.flatMap((now) => {
      const old = before.find(({ name }) => name === now.name);
      return old ? [[old, now] as const] : [];
    }),
  };
}

export function same(a: unknown, b: unknown): boolean {
  const bytes = (value: unknown) => canonicalJson((value ?? null) as Json);
  return equalBytes(bytes(a), bytes(b));
}

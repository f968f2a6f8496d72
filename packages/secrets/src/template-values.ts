import { formatsOf, resolveReference } from '@ensconce/policy/secret-format';
import type { Secret, SecretKind, Session } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import { SecretsError } from './errors.ts';
import type { StoredSecret } from './stored.ts';

/** Older suffixes, which stand in the name of a reference. */
const dotted = ['crt', 'key', 'chain'];

/**
 * All that references to these secrets can stand for in a template that CAS does not see, by what stands between
 * `$$SCONE::` and `$$`: every format that the value has.
 */
export function templateValues(
  session: Session,
  secrets: readonly Secret[],
  values: Readonly<Record<string, StoredSecret>>,
  lookup: Lookup,
): Readonly<Record<string, Uint8Array>> {
  const found: Record<string, Uint8Array> = {};
  for (const secret of secrets) {
    const { name } = secret;
    const references = [
      ...formatsFor(secret, values).map((format) => ({ name, format })),
      ...dotted.map((suffix) => ({ name: `${name}.${suffix}`, format: '' })),
    ];
    for (const reference of references) {
      if (resolveReference(reference, session)?.secret !== secret) continue;
      const value = rendered(lookup, reference);
      const key = reference.format === '' ? reference.name : `${reference.name}:${reference.format}`;
      if (value !== undefined) found[key] = value;
    }
  }
  return found;
}

/** An import need not name its kind: its value has one. */
function formatsFor(secret: Secret, values: Readonly<Record<string, StoredSecret>>): readonly string[] {
  const stored = Object.hasOwn(values, secret.name) ? values[secret.name]?.kind : undefined;
  const kind: SecretKind | undefined = secret.kind ?? (stored === 'in-vault' ? undefined : stored);
  return (formatsOf(kind) ?? []).filter((format) => !format.startsWith('.'));
}

/** A certificate without its key has some of its kind's formats only. */
function rendered(lookup: Lookup, reference: Parameters<Lookup>[0]): Uint8Array | undefined {
  try {
    return lookup(reference);
  } catch (error) {
    if (error instanceof SecretsError && error.code === 'SECRETS_FORMAT') return undefined;
    throw error;
  }
}

import { resolveReference, secretsByName } from '@ensconce/policy/secret-format';
import type { Secret, Session } from '@ensconce/policy/session';
import { references } from '@ensconce/policy/substitution';

/** The secrets of these names and all that they are made of, so that nothing else has to be had for them. */
export function neededSecrets(session: Session, names: Iterable<string>): ReadonlySet<string> {
  const byName = secretsByName(session);
  const needed = new Set<string>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const secret = byName.get(name);
    if (secret === undefined || needed.has(name)) continue;
    needed.add(name);
    pending.push(...madeOf(secret, session));
  }
  return needed;
}

/**
 * Those of `names` that have no value of their own and none among `values`; tokens, which are made at each delivery, are as
 * good as what they are made of.
 */
export function missingSecrets(
  session: Session,
  names: Iterable<string>,
  values: Readonly<Record<string, unknown>>,
): readonly string[] {
  const byName = secretsByName(session);
  const wanted = [...names].flatMap((name) => {
    const secret = byName.get(name);
    if (secret === undefined) return [];
    return secret.kind === 'jwt' && !secret.import ? [...neededSecrets(session, [name])].slice(1) : [name];
  });
  return wanted.filter((name) => byName.get(name)?.kind !== 'jwt' && !Object.hasOwn(values, name));
}

/** What one secret names directly. An import is made of nothing here, whatever parameters stand beside it. */
function madeOf(secret: Secret, session: Session): readonly string[] {
  if (secret.import) return [];
  const { importAkv, privateKey, issuer, signer, applicationSecret, payload } = secret;
  const named = [importAkv?.token, importAkv?.decryptionKey, privateKey, issuer, signer].filter(
    (name) => name !== undefined,
  );
  // Most secrets are made of nothing.
  if (applicationSecret === undefined && payload === undefined) return named;
  const texts = [applicationSecret ?? '', ...Object.values(payload ?? {})];
  const referred = texts.flatMap((text) =>
    references(text).flatMap((reference) => resolveReference(reference, session)?.secret.name ?? []),
  );
  return [...named, ...referred];
}

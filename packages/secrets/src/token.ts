import { SignJWT } from 'jose';
import type { Secret } from '@ensconce/policy/session';
import { substituteSecrets, type Lookup } from '@ensconce/policy/substitution';
import { utf8 } from '@ensconce/base/bytes';
import { SecretsError } from './errors.ts';
import { keyTypeOf, privateKeyOf } from './key.ts';
import type { Stored } from './stored.ts';

/** What a token may say about the service that gets it (`$$SCONE::self::software_identity$$`). */
export type SelfClaims = Readonly<Record<string, string>>;

const defaultAlgorithms = { 'P-256': 'ES256', 'P-384': 'ES384', Ed25519: 'EdDSA', RSA: 'RS256' } as const;
const defaultValidity = 24 * 3600;

/**
 * Signs the token that a jwt secret describes, for one service at one moment: it is made anew at each delivery and
 * never kept. `iat` and `nbf` are now, `exp` is the end of its validity.
 */
export async function issueToken(
  secret: Secret,
  options: {
    readonly key: Stored<'private-key'>;
    readonly now: Date;
    readonly lookup: Lookup;
    readonly self: SelfClaims;
  },
): Promise<string> {
  const key = privateKeyOf(options.key.pkcs8);
  const type = keyTypeOf(key);
  const alg = secret.alg ?? defaultAlgorithms[type];
  if (!(type === 'RSA' ? ['RS256', 'PS256'] : [defaultAlgorithms[type]]).includes(alg)) {
    throw new SecretsError(
      'SECRETS_VALUE',
      `secret ${secret.name}: an alg for a key of type ${type} expected, ${alg} found`,
    );
  }
  const withSelf: Lookup = (reference) => {
    if (!reference.name.startsWith('self::')) return options.lookup(reference);
    const claim = reference.name.slice('self::'.length);
    return Object.hasOwn(options.self, claim) ? utf8(options.self[claim] ?? '') : undefined;
  };
  const payload = Object.fromEntries(
    Object.entries(secret.payload ?? {}).map(([claim, value]) => [claim, substituteSecrets(value, withSelf)]),
  );
  const issued = Math.floor(options.now.getTime() / 1000);
  return new SignJWT(payload)
    .setProtectedHeader({ alg, typ: 'JWT' })
    .setIssuedAt(issued)
    .setNotBefore(issued)
    .setExpirationTime(issued + (secret.validFor ?? defaultValidity))
    .sign(key);
}

import { utf8 } from '@ensconce/base/bytes';
import type { Session } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import { secretLookup } from './render.ts';
import { storedOf, type SecretState, type StoredSecret } from './stored.ts';
import { issueToken, type SelfClaims } from './token.ts';

export interface DeliveryOptions {
  readonly now: Date;
  /** What is known of the attested service: `software_identity` is its measurement in hex. */
  readonly self: SelfClaims;
  readonly imported?: Readonly<Record<string, StoredSecret>> | undefined;
}

/** The lookup for one delivery to one service: values, imports, and tokens signed for this service now. */
export async function deliveryLookup(
  session: Session,
  state: SecretState,
  options: DeliveryOptions,
): Promise<Lookup> {
  const secrets = { ...options.imported, ...state.secrets };
  const lookup = secretLookup(session, { version: 1, secrets });
  const tokens = new Map<string, Uint8Array>();
  for (const secret of session.secrets) {
    const key =
      secret.kind === 'jwt' && secret.signer !== undefined
        ? storedOf(secrets, secret.signer, 'private-key')
        : undefined;
    if (!key) continue;
    const { now, self } = options;
    tokens.set(secret.name, utf8(await issueToken(secret, { key, now, self, lookup })));
  }
  return (reference) =>
    (reference.format === '' ? tokens.get(reference.name) : undefined) ?? lookup(reference);
}

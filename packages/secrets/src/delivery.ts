import { utf8 } from '@ensconce/base/bytes';
import type { Session } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import { pkcs12 } from './pkcs12.ts';
import { secretLookup } from './render.ts';
import { storedOf, type SecretState, type Stored } from './stored.ts';
import { issueToken, type SelfClaims } from './token.ts';

export interface DeliveryOptions {
  readonly now: Date;
  /** What is known of the attested service: `software_identity` is its measurement in hex. */
  readonly self: SelfClaims;
  /** The secrets that this delivery is about; of no other a token is signed. All if absent. */
  readonly names?: ReadonlySet<string> | undefined;
  /** Secrets that templates may hold in any format, as nobody knows which. */
  readonly inTemplates?: ReadonlySet<string> | undefined;
}

const pkcs12Format = 'pkcs12-with-private-key';

/**
 * The lookup for one delivery to one service: values, tokens signed for this service now, and PKCS #12 files of the
 * certificates that the session asks for in that format. `state` has what the session imports too.
 */
export async function deliveryLookup(
  session: Session,
  state: SecretState,
  options: DeliveryOptions,
): Promise<Lookup> {
  const { secrets } = state;
  const lookup = secretLookup(session, state);
  const made = new Map<string, Uint8Array>();
  for (const [name, certificate] of asPkcs12(session, state, options.inTemplates))
    made.set(`${name}:${pkcs12Format}`, await pkcs12(certificate));
  const before: Lookup = (reference) =>
    made.get(`${reference.name}:${reference.format}`) ?? lookup(reference);
  for (const secret of session.secrets) {
    if (options.names?.has(secret.name) === false) continue;
    const key =
      secret.kind === 'jwt' && secret.signer !== undefined
        ? storedOf(secrets, secret.signer, 'private-key')
        : undefined;
    if (!key) continue;
    const { now, self } = options;
    made.set(`${secret.name}:`, utf8(await issueToken(secret, { key, now, self, lookup: before })));
  }
  return before;
}

/**
 * The same lookup where it needs nothing that is made for each delivery, which tokens and PKCS #12 files are: what it gives
 * changes with session and state alone. Undefined where it does.
 */
export function constantLookup(
  session: Session,
  state: SecretState,
  inTemplates?: ReadonlySet<string>,
): Lookup | undefined {
  const tokens = session.secrets.some(({ kind }) => kind === 'jwt');
  if (tokens || asPkcs12(session, state, inTemplates).length > 0) return undefined;
  return secretLookup(session, state);
}

/** The certificates that a service may get as PKCS #12. */
function asPkcs12(
  session: Session,
  { secrets }: SecretState,
  inTemplates: ReadonlySet<string> | undefined,
): readonly (readonly [name: string, Stored<'x509'> & { readonly pkcs8: string }])[] {
  const texts = [session.services, session.images];
  const mentioned = mentions(texts, `:${pkcs12Format}`);
  return session.secrets.flatMap(({ name }) => {
    const stored = storedOf(secrets, name, 'x509');
    const { pkcs8 } = stored ?? {};
    if (!stored || pkcs8 === undefined) return [];
    const asked =
      inTemplates?.has(name) === true || (mentioned && mentions(texts, `$$SCONE::${name}:${pkcs12Format}`));
    return asked ? [[name, { ...stored, pkcs8 }] as const] : [];
  });
}

/** Whether a text in `value` has `words` in it. */
function mentions(value: unknown, words: string): boolean {
  if (typeof value === 'string') return value.includes(words);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((member) => mentions(member, words));
}

import { EnsconceError } from '@ensconce/base/errors';
import type { Security, Service } from '@ensconce/policy/session';
import { substituteSecrets, type Lookup } from '@ensconce/policy/substitution';
import { fromBase32 } from '@ensconce/secrets/base32';
import type { Attest } from '@ensconce/wire/attestation';
import { CasError } from '../errors.ts';
import { checkAccessToken } from './access-token.ts';
import { untrustworthy } from './appraise.ts';
import { nameOf, type ConfigId } from './config-id.ts';
import type { OneTimePasswords, Spent } from './one-time-passwords.ts';

export interface Admission {
  readonly security: Security;
  readonly service: Pick<Service, 'oneTimePasswordSharedSecret'>;
  /** The secrets of the session; asked for only where they are needed. */
  readonly lookup: () => Promise<Lookup>;
  readonly message: Attest;
  readonly id: ConfigId;
  /** The process, by the key of its connections. */
  readonly instance: string;
}

export interface AdmissionContext {
  readonly oneTimePasswords: OneTimePasswords;
  readonly now: () => Date;
}

/** What whoever starts a service must know: the access token and a one-time password, where the session asks for them. */
export async function admit(context: AdmissionContext, admission: Admission): Promise<void> {
  const { security } = admission;
  const token = await substituted(admission, security.serviceAccessToken, 'service_access_token');
  checkAccessToken(token, admission.message.serviceAccessToken);
  const shared = await substituted(
    admission,
    admission.service.oneTimePasswordSharedSecret ?? security.attestation.oneTimePasswordSharedSecret,
    'one_time_password_shared_secret',
  );
  if (shared !== undefined)
    await checkOneTimePassword(context, admission, sharedSecret(shared, admission.id));
  else if (admission.id.oneTimePassword !== undefined) {
    throw untrustworthy(
      'no one-time password expected by the session, one found',
      'leave @ and the code out of SCONE_CONFIG_ID, or give the session a one_time_password_shared_secret',
    );
  }
}

/** References are put in once, as everywhere; one that cannot be resolved stops the start. */
async function substituted(
  admission: Admission,
  text: string | undefined,
  key: string,
): Promise<string | undefined> {
  if (text === undefined) return undefined;
  try {
    return substituteSecrets(text, await admission.lookup());
  } catch (cause) {
    if (!(cause instanceof EnsconceError)) throw cause;
    throw new CasError('CAS_SERVICE_REFUSED', `service '${nameOf(admission.id)}': ${key} cannot be made`, {
      cause,
    });
  }
}

const shortestSecret = 16;

function sharedSecret(text: string, id: ConfigId): Uint8Array {
  try {
    const secret = fromBase32(text);
    if (secret.length >= shortestSecret) return secret;
  } catch (error) {
    if (!(error instanceof EnsconceError)) throw error;
  }
  throw new CasError(
    'CAS_SERVICE_REFUSED',
    `service '${nameOf(id)}': a one_time_password_shared_secret of at least 128 bits in base32 expected, something else found`,
    { hint: 'refer to a generated secret as $$SCONE::name:base32$$' },
  );
}

const why: Readonly<Record<Exclude<Spent, 'accepted'>, string>> = {
  wrong: 'The given One-time Password is invalid',
  used: 'A One-time Password was already used within this time-step',
  'too-many': 'Too many invalid One-time Passwords within this time-step',
};

async function checkOneTimePassword(
  { oneTimePasswords, now }: AdmissionContext,
  { id, message, instance }: Admission,
  secret: Uint8Array,
): Promise<void> {
  // The process that a code let in connects again with the same code, and proves by its key that it is the one.
  if (message.again === true && oneTimePasswords.admitted(secret, instance)) return;
  const spent =
    id.oneTimePassword === undefined
      ? undefined
      : await oneTimePasswords.spend(secret, id.oneTimePassword, now(), instance);
  if (spent === 'accepted') return;
  throw untrustworthy(
    spent === undefined ? 'a one-time password expected, none found' : why[spent],
    `set SCONE_CONFIG_ID to ${nameOf(id)}@ and the present code of six digits; each is good once`,
  );
}

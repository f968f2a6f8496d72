import { createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';
import { encodeFields } from '@ensconce/base/fields';

/** CAS's word that a key signs its audit log: whoever knows CAS can check the log without it. All base64. */
export interface Endorsement {
  /** SubjectPublicKeyInfo (DER). */
  readonly casKey: string;
  readonly auditKey: string;
  readonly endorsement: string;
}

const message = (auditKey: Uint8Array): Uint8Array => encodeFields('ensconce-audit-key/1', [auditKey]);

export function endorseAuditKey(
  cas: { readonly privateKey: KeyObject; readonly publicKey: Uint8Array },
  auditKey: KeyObject,
): Endorsement {
  const audit = createPublicKey(auditKey).export({ type: 'spki', format: 'der' });
  return {
    casKey: Buffer.from(cas.publicKey).toString('base64'),
    auditKey: audit.toString('base64'),
    endorsement: sign('sha256', message(audit), cas.privateKey).toString('base64'),
  };
}

/**
 * The audit key, where the CAS with that identity (hex SHA-256 of its key) endorses it; undefined where it does not. All
 * members are untrusted.
 */
export function endorsedAuditKey(endorsement: Endorsement, casIdentity: string): KeyObject | undefined {
  const cas = Buffer.from(endorsement.casKey, 'base64');
  const audit = Buffer.from(endorsement.auditKey, 'base64');
  if (hash('sha256', cas) !== casIdentity) return undefined;
  const casKey = createPublicKey({ key: cas, type: 'spki', format: 'der' });
  const holds = verify('sha256', message(audit), casKey, Buffer.from(endorsement.endorsement, 'base64'));
  return holds ? createPublicKey({ key: audit, type: 'spki', format: 'der' }) : undefined;
}

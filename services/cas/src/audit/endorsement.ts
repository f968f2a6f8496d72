import { createPublicKey, sign, type KeyObject } from 'node:crypto';
import { endorsementMessage, type Endorsement } from '@ensconce/audit/endorsement';

/** Vouches, as CAS, for the key that signs its audit log. */
export function endorseAuditKey(
  cas: { readonly privateKey: KeyObject; readonly publicKey: Uint8Array },
  auditKey: KeyObject,
): Endorsement {
  const audit = createPublicKey(auditKey).export({ type: 'spki', format: 'der' });
  return {
    casKey: Buffer.from(cas.publicKey).toString('base64'),
    auditKey: audit.toString('base64'),
    endorsement: sign('sha256', endorsementMessage(audit), cas.privateKey).toString('base64'),
  };
}

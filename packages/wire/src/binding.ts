import { hash } from 'node:crypto';
import { toHex, utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';

/** Who proves itself to whom. The role is part of the report data, so evidence made for one never serves as the other. */
export type BindingRole = 'service-to-cas' | 'cas-to-client' | 'client-to-cas';

export interface Binding {
  readonly role: BindingRole;
  /** SubjectPublicKeyInfo (DER) of the TLS key of the side that proves itself. */
  readonly publicKey: Uint8Array;
  /** 32 bytes of the TLS exporter of this connection, label {@link exporterLabel}. */
  readonly exporter: Uint8Array;
  /** 32 bytes, chosen by the other side for this one exchange. */
  readonly nonce: Uint8Array;
  /** `session/service`; empty for CAS. */
  readonly configId: string;
  /** SubjectPublicKeyInfo (DER) of CAS's identity key. */
  readonly casIdentity: Uint8Array;
}

/** RFC 5705 exporter label, 32 bytes, empty context. */
export const exporterLabel = 'EXPORTER-ensconce-attestation-1';
export const exporterSize = 32;
export const nonceSize = 32;

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** The 64 bytes of report data that bind evidence to one TLS connection (docs/protocol/binding.md). */
export function reportData(binding: Binding): Uint8Array {
  if (binding.exporter.length !== exporterSize)
    throw new RangeError(`exporter: ${exporterSize} bytes expected`);
  if (binding.nonce.length !== nonceSize) throw new RangeError(`nonce: ${nonceSize} bytes expected`);
  const encoded = encodeFields(`ensconce-binding/1 ${binding.role}`, [
    sha256(binding.publicKey),
    binding.exporter,
    binding.nonce,
    utf8(binding.configId),
    sha256(binding.casIdentity),
  ]);
  return hash('sha512', encoded, 'buffer');
}

/**
 * The report data of evidence that CAS holds the key that signs its audit log (`auditKey`, 32 bytes, Ed25519): the statement that SCONE hashes,
 * with one member more that binds it to the connection, so that nobody can hand on somebody else's.
 */
export function auditKeyReportData(auditKey: Uint8Array, binding: Binding): Uint8Array {
  const statement = {
    type: 'CasAuditLogSigningKey',
    signing_key: toHex(auditKey),
    binding: toHex(reportData(binding)),
  };
  return hash('sha512', JSON.stringify(statement), 'buffer');
}

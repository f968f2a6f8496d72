import { fromUtf8 } from '@ensconce/base/bytes';
import { EvidenceError } from '../errors.ts';

/** RSA public key of the vTPM, members as in RFC 7517. */
export interface RsaJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
}

/** What of the runtime data the verifier uses. */
export interface HclRuntimeData {
  /** HCLAkPub: signs TPM quotes. */
  readonly attestationKey: RsaJwk;
  /** "user-data", hexadecimal: what was written to NV index 0x01400002. */
  readonly userData: string | null;
  /** "vm-configuration" as it stands. */
  readonly vmConfiguration: unknown;
}

function isRsa(key: unknown): key is RsaJwk & { kid?: unknown } {
  if (typeof key !== 'object' || key === null) return false;
  const { kty, n, e } = key as Record<string, unknown>;
  return kty === 'RSA' && typeof n === 'string' && typeof e === 'string' && n.length < 2048 && e.length < 16;
}

/** Parses attacker-controlled runtime data; throws `EvidenceError`. */
export function parseHclRuntimeData(bytes: Uint8Array): HclRuntimeData {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw new EvidenceError('EVIDENCE_STRUCTURE', 'HCL runtime data: JSON expected, something else found', {
      cause,
    });
  }
  const data = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const keys: unknown[] = Array.isArray(data['keys']) ? data['keys'] : [];
  const key = keys.filter((one) => isRsa(one)).find((one) => one.kid === 'HCLAkPub');
  if (key === undefined)
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      'HCL runtime data: an RSA key "HCLAkPub" expected, none found',
    );
  return {
    attestationKey: { kty: 'RSA', n: key.n, e: key.e },
    userData: typeof data['user-data'] === 'string' ? data['user-data'].toLowerCase() : null,
    vmConfiguration: data['vm-configuration'] ?? null,
  };
}

import { equalBytes, toHex } from '@ensconce/base/bytes';
import type { EnclaveReport } from '@ensconce/evidence/sgx/body';
import type { CheckList } from '../check.ts';
import type { EnclaveIdentity } from './enclave-identity.ts';

function masked(value: Uint8Array, mask: Uint8Array): Uint8Array {
  return value.map((byte, i) => byte & (mask[i] ?? 0));
}

function equalsMasked(value: Uint8Array, mask: Uint8Array, wanted: Uint8Array): boolean {
  return value.every((byte, i) => (byte & (mask[i] ?? 0)) === wanted[i]);
}

function differences(report: EnclaveReport, identity: EnclaveIdentity): string[] {
  const { miscSelectMask, attributesMask } = identity;
  return [
    equalsMasked(report.miscSelect, miscSelectMask, identity.miscSelect)
      ? ''
      : `MISCSELECT ${toHex(masked(report.miscSelect, miscSelectMask))}`,
    equalsMasked(report.attributes, attributesMask, identity.attributes)
      ? ''
      : `ATTRIBUTES ${toHex(masked(report.attributes, attributesMask))}`,
    equalBytes(report.mrSigner, identity.mrSigner) ? '' : `MRSIGNER ${toHex(report.mrSigner)}`,
    report.isvProdId === identity.isvProdId ? '' : `ISVPRODID ${report.isvProdId}`,
  ].filter((text) => text !== '');
}

/** Compares the quoting enclave's report with the identity that Intel publishes, byte by byte under its masks. */
export function checkQe(
  checks: CheckList,
  report: EnclaveReport,
  identity: EnclaveIdentity,
  expectedId: EnclaveIdentity['id'],
): boolean {
  const ofTee = checks.that('QE identity is for this TEE', identity.id === expectedId, {
    expected: expectedId,
    found: identity.id,
    failure: 'undetermined',
    hint: `fetch the ${expectedId} identity`,
  });
  if (!ofTee) return false;
  const wrong = differences(report, identity);
  return checks.that('quoting enclave is the vendor’s', wrong.length === 0, {
    expected: `MISCSELECT, ATTRIBUTES, MRSIGNER and ISVPRODID of the ${expectedId} identity`,
    found: wrong.length === 0 ? 'the same' : wrong.join(', '),
  });
}

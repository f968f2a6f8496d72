import { equalBytes, toHex } from '@ensconce/base/bytes';
import type { EnclaveReport } from '@ensconce/evidence/sgx/body';
import type { CheckList } from '../check.ts';
import type { EnclaveIdentity } from './enclave-identity.ts';

function masked(value: Uint8Array, mask: Uint8Array): Uint8Array {
  return value.map((byte, i) => byte & (mask[i] ?? 0));
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
  const misc = masked(report.miscSelect, identity.miscSelectMask);
  const attributes = masked(report.attributes, identity.attributesMask);
  const wrong = [
    equalBytes(misc, identity.miscSelect) ? '' : `MISCSELECT ${toHex(misc)}`,
    equalBytes(attributes, identity.attributes) ? '' : `ATTRIBUTES ${toHex(attributes)}`,
    equalBytes(report.mrSigner, identity.mrSigner) ? '' : `MRSIGNER ${toHex(report.mrSigner)}`,
    report.isvProdId === identity.isvProdId ? '' : `ISVPRODID ${report.isvProdId}`,
  ].filter((text) => text !== '');
  return checks.that('quoting enclave is the vendor’s', wrong.length === 0, {
    expected: `MISCSELECT, ATTRIBUTES, MRSIGNER and ISVPRODID of the ${expectedId} identity`,
    found: wrong.length === 0 ? 'the same' : wrong.join(', '),
  });
}

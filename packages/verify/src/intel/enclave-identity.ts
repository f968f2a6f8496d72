import * as v from 'valibot';
import { fromHex } from '@ensconce/base/bytes';
import { count, hexOf, isoTime, isvLevel, parseSigned, toIsvLevel, type IsvLevel } from './tcb-info.ts';

const u16 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));

const schema = v.object({
  id: v.picklist(['QE', 'TD_QE', 'QVE', 'QAE']),
  version: v.literal(2),
  issueDate: isoTime,
  nextUpdate: isoTime,
  tcbEvaluationDataNumber: count,
  miscselect: hexOf(4),
  miscselectMask: hexOf(4),
  attributes: hexOf(16),
  attributesMask: hexOf(16),
  mrsigner: hexOf(32),
  isvprodid: u16,
  tcbLevels: v.pipe(v.array(isvLevel), v.minLength(1), v.maxLength(1024)),
});

/** Which enclave Intel calls its quoting enclave, and in which state each version of it is (PCS API, Enclave Identity v2). */
export interface EnclaveIdentity {
  readonly id: 'QE' | 'TD_QE' | 'QVE' | 'QAE';
  readonly issueDate: string;
  readonly nextUpdate: string;
  readonly evaluationDataNumber: number;
  readonly miscSelect: Uint8Array;
  readonly miscSelectMask: Uint8Array;
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly levels: readonly IsvLevel[];
}

export function parseEnclaveIdentity(text: string): EnclaveIdentity {
  const identity = parseSigned(text, schema, 'QE identity');
  return {
    id: identity.id,
    issueDate: identity.issueDate,
    nextUpdate: identity.nextUpdate,
    evaluationDataNumber: identity.tcbEvaluationDataNumber,
    miscSelect: fromHex(identity.miscselect),
    miscSelectMask: fromHex(identity.miscselectMask),
    attributes: fromHex(identity.attributes),
    attributesMask: fromHex(identity.attributesMask),
    mrSigner: fromHex(identity.mrsigner),
    isvProdId: identity.isvprodid,
    levels: identity.tcbLevels.map((level) => toIsvLevel(level)),
  };
}

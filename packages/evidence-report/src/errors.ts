import { EnsconceError } from '@ensconce/base/errors';

export type EvidenceReportErrorCode =
  | 'EVIDENCE_FILE'
  | 'EVIDENCE_COLLATERAL_FILE'
  | 'EVIDENCE_POLICY_FILE'
  | 'EVIDENCE_TIME';

/** Something on the command line that cannot be read. */
export class EvidenceReportError extends EnsconceError<EvidenceReportErrorCode> {}

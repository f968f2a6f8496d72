import { ApiError, RefusedByCas } from '@ensconce/api/errors';
import { EvidenceReportError } from '@ensconce/evidence-report/errors';
import { AuditError, type AuditErrorCode } from '@ensconce/audit/errors';
import { CliError } from './errors.ts';

/** The contract with scripts; documented in every --help. */
export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  refused: 3,
  untrusted: 4,
  unreachable: 5,
  forked: 6,
  interrupted: 130,
} as const;

export const exitCodeHelp = `Exit codes:
  0    done
  1    error
  2    wrong usage
  3    CAS refused: not allowed, not found, or not acceptable
  4    not trusted: evidence or identity of CAS is not what was expected
  5    CAS cannot be reached, or asks to try again later
  6    the audit log of CAS was rolled back, forked, or is not answered whole
  130  interrupted`;

/** The exit code of the program that a verb ran; nothing is printed for it. */
export class ExitStatus extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the program ended with exit code ${status}`);
    this.name = 'ExitStatus';
    this.status = status;
  }
}

/** SCONE's codes for an audit log that does not hold. */
const auditLogCodes: Readonly<Record<string, number>> = {
  CLI_AUDIT_LOG_COMMIT_LOST: 10,
  CLI_AUDIT_LOG_CUT_AT_END: 14,
  CLI_AUDIT_LOG_CUT_AT_START: 15,
  CLI_AUDIT_LOG_END_UNKNOWN: 16,
  CLI_AUDIT_LOG_MISSING: 17,
  CLI_AUDIT_LOG_ROLLED_BACK: 18,
  CLI_AUDIT_LOG_OTHER_CAS: 19,
  CLI_AUDIT_LOG_BROKEN: 20,
};

/** What CAS says of its log and cannot prove. */
const forkedCodes: ReadonlySet<AuditErrorCode> = new Set(['AUDIT_FORKED', 'AUDIT_INCOMPLETE', 'AUDIT_PROOF']);

export function exitCodeOf(error: unknown): number {
  if (error instanceof AuditError)
    return forkedCodes.has(error.code) ? exitCodes.forked : exitCodes.untrusted;
  if (error instanceof RefusedByCas) return error.retry ? exitCodes.unreachable : exitCodes.refused;
  if (error instanceof ApiError) {
    if (error.code === 'API_UNREACHABLE') return exitCodes.unreachable;
    if (error.code === 'API_OTHER_CAS') return exitCodes.untrusted;
  }
  if (error instanceof EvidenceReportError) return exitCodes.usage;
  if (error instanceof CliError) {
    const auditLogCode = auditLogCodes[error.code];
    if (auditLogCode !== undefined) return auditLogCode;
    if (error.code === 'CLI_USAGE') return exitCodes.usage;
    if (error.code === 'CLI_CAS_UNTRUSTED' || error.code === 'CLI_CAS_NOT_ATTESTED')
      return exitCodes.untrusted;
  }
  return exitCodes.error;
}

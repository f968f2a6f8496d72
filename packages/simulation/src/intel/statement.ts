import { toHex } from '@ensconce/base/bytes';
import type { IntelStatus } from '@ensconce/verify/intel/status';
import { qeAttributes, qeProductId, qeSigner } from './platform.ts';

export interface StatementDates {
  readonly issued: Date;
  readonly next: Date;
}

export interface LevelSpec {
  readonly components: readonly number[];
  readonly pceSvn: number;
  readonly status: IntelStatus;
  readonly date: string;
  readonly advisories?: readonly string[];
}

export interface IsvLevelSpec {
  readonly isvSvn: number;
  readonly status: IntelStatus;
  readonly date: string;
  readonly advisories?: readonly string[];
}

/** What the simulated Intel knows about one kind of platform. */
export interface TcbSpec {
  readonly id: 'SGX' | 'TDX';
  readonly fmspc: string;
  readonly pceId: string;
  readonly evaluationDataNumber: number;
  readonly levels: readonly LevelSpec[];
  readonly qeLevels: readonly IsvLevelSpec[];
}

/** The quoting enclave's attributes under the mask: MODE64BIT and XFRM may be anything. */
const maskedQeAttributes = toHex(qeAttributes.map((byte, i) => (i === 0 ? byte & 0xfb : i < 8 ? byte : 0)));

/** Without milliseconds, as Intel writes times. */
const iso = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

const advisoryIds = (advisories: readonly string[] | undefined): { advisoryIDs?: readonly string[] } =>
  advisories === undefined || advisories.length === 0 ? {} : { advisoryIDs: advisories };

const isvLevel = (level: IsvLevelSpec): object => ({
  tcb: { isvsvn: level.isvSvn },
  tcbDate: level.date,
  tcbStatus: level.status,
  ...advisoryIds(level.advisories),
});

/** TCB info v3 as the PCS serves it: the inner object, whose characters are signed. */
export function tcbInfoStatement(spec: TcbSpec, dates: StatementDates): string {
  return JSON.stringify({
    id: spec.id,
    version: 3,
    issueDate: iso(dates.issued),
    nextUpdate: iso(dates.next),
    fmspc: spec.fmspc,
    pceId: spec.pceId,
    tcbType: 0,
    tcbEvaluationDataNumber: spec.evaluationDataNumber,
    tcbLevels: spec.levels.map((level) => ({
      tcb: { sgxtcbcomponents: level.components.map((svn) => ({ svn })), pcesvn: level.pceSvn },
      tcbDate: level.date,
      tcbStatus: level.status,
      ...advisoryIds(level.advisories),
    })),
  });
}

/** Enclave identity v2 of the quoting enclave. */
export function qeIdentityStatement(spec: TcbSpec, dates: StatementDates): string {
  return JSON.stringify({
    id: spec.id === 'SGX' ? 'QE' : 'TD_QE',
    version: 2,
    issueDate: iso(dates.issued),
    nextUpdate: iso(dates.next),
    tcbEvaluationDataNumber: spec.evaluationDataNumber,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: maskedQeAttributes,
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: toHex(qeSigner).toUpperCase(),
    isvprodid: qeProductId,
    tcbLevels: spec.qeLevels.map((level) => isvLevel(level)),
  });
}

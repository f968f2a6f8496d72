import { toHex } from '@ensconce/base/bytes';
import type { IntelStatus } from '@ensconce/verify/intel/status';
import { qeAttributes, qeProductId, qeSigner } from './platform.ts';

export interface StatementDates {
  readonly issued: Date;
  readonly next: Date;
}

export interface LevelSpec {
  readonly components: readonly number[];
  /** TDX only. */
  readonly tdxComponents?: readonly number[];
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
  /** TDX only: identities of versioned modules by major version. */
  readonly modules?: readonly { readonly version: number; readonly levels: readonly IsvLevelSpec[] }[];
  readonly qeLevels: readonly IsvLevelSpec[];
  /** How the vendor rates TCBs; 0 is the only kind that there is. */
  readonly tcbType?: number;
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

const noSigner = { mrsigner: '0'.repeat(96), attributes: '0'.repeat(16), attributesMask: 'F'.repeat(16) };

/** What TCB info says about TDX modules: that of version 0, and one identity for each major version. */
function tdxModules(spec: TcbSpec): object {
  if (spec.id === 'SGX') return {};
  return {
    tdxModule: noSigner,
    tdxModuleIdentities: (spec.modules ?? []).map((module) => ({
      id: `TDX_${module.version.toString(16).toUpperCase().padStart(2, '0')}`,
      ...noSigner,
      tcbLevels: module.levels.map((level) => isvLevel(level)),
    })),
  };
}

/** Who updates which component, as Intel's statements have it. */
const sgxNames: readonly object[] = [
  { category: 'BIOS', type: 'Early Microcode Update' },
  { category: 'OS/VMM', type: 'SGX Late Microcode Update' },
  { category: 'OS/VMM', type: 'TXT SINIT' },
  { category: 'BIOS' },
];
const tdxNames: readonly object[] = [
  { category: 'OS/VMM', type: 'TDX Module' },
  { category: 'OS/VMM', type: 'TDX Module' },
  { category: 'OS/VMM', type: 'TDX Late Microcode Update' },
];

const svns = (components: readonly number[], names: readonly object[]): object[] =>
  components.map((svn, i) => ({ svn, ...names[i] }));

/** TCB info v3 as the PCS serves it: the inner object, whose characters are signed. */
export function tcbInfoStatement(spec: TcbSpec, dates: StatementDates): string {
  return JSON.stringify({
    id: spec.id,
    version: 3,
    issueDate: iso(dates.issued),
    nextUpdate: iso(dates.next),
    fmspc: spec.fmspc,
    pceId: spec.pceId,
    tcbType: spec.tcbType ?? 0,
    tcbEvaluationDataNumber: spec.evaluationDataNumber,
    ...tdxModules(spec),
    tcbLevels: spec.levels.map((level) => ({
      tcb: {
        sgxtcbcomponents: svns(level.components, sgxNames),
        pcesvn: level.pceSvn,
        ...(spec.id === 'TDX'
          ? { tdxtcbcomponents: svns(level.tdxComponents ?? level.components, tdxNames) }
          : {}),
      },
      tcbDate: level.date,
      tcbStatus: level.status,
      ...advisoryIds(level.advisories),
    })),
  });
}

/** Which of the vendor's enclaves an identity is of: that for quotes of SGX or TDX, for verification, or for appraisal. */
export type EnclaveName = 'QE' | 'TD_QE' | 'QVE' | 'QAE';

const productIds: Readonly<Record<EnclaveName, number>> = {
  QE: qeProductId,
  TD_QE: qeProductId,
  QVE: 2,
  QAE: 3,
};

/** Enclave identity v2. */
export function enclaveIdentityStatement(
  id: EnclaveName,
  spec: Pick<TcbSpec, 'evaluationDataNumber' | 'qeLevels'>,
  dates: StatementDates,
): string {
  return JSON.stringify({
    id,
    version: 2,
    issueDate: iso(dates.issued),
    nextUpdate: iso(dates.next),
    tcbEvaluationDataNumber: spec.evaluationDataNumber,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: maskedQeAttributes,
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: toHex(qeSigner).toUpperCase(),
    isvprodid: productIds[id],
    tcbLevels: spec.qeLevels.map((level) => isvLevel(level)),
  });
}

/** Identity of the quoting enclave. */
export function qeIdentityStatement(spec: TcbSpec, dates: StatementDates): string {
  return enclaveIdentityStatement(spec.id === 'SGX' ? 'QE' : 'TD_QE', spec, dates);
}

/** One evaluation of all TCBs: after each recovery event the vendor makes a new one. */
export interface EvaluationSpec {
  readonly number: number;
  /** When the event became public, and which TCB date the evaluation demands. */
  readonly eventDate: Date;
  readonly tcbDate: Date;
}

/** The evaluations that the vendor serves, newest first, as the PCS lists them. */
export function evaluationNumbersStatement(
  id: 'SGX' | 'TDX',
  evaluations: readonly EvaluationSpec[],
  dates: StatementDates,
): string {
  return JSON.stringify({
    id,
    version: 1,
    issueDate: iso(dates.issued),
    nextUpdate: iso(dates.next),
    tcbEvalNumbers: evaluations.map(({ number, eventDate, tcbDate }) => ({
      tcbEvaluationDataNumber: number,
      tcbRecoveryEventDate: iso(eventDate),
      tcbDate: iso(tcbDate),
    })),
  });
}

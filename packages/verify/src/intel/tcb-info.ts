import * as v from 'valibot';
import { VerifyError } from '../errors.ts';
import { intelStatuses, type IntelStatus } from './status.ts';

/** Hexadecimal digits standing for `bytes` bytes, as lower case. */
export const hexOf = (bytes: number) =>
  v.pipe(
    v.string(),
    v.regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`)),
    v.transform((text) => text.toLowerCase()),
  );
/** ISO 8601 in UTC, as Intel writes it, and milliseconds since 1970. */
export const isoTime = v.pipe(v.string(), v.isoTimestamp(), v.regex(/Z$/));
const svn = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));
const u16 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const status = v.picklist(intelStatuses);
const advisories = v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(256)), []);

export const isvLevel = v.object({
  tcb: v.object({ isvsvn: u16 }),
  tcbDate: isoTime,
  tcbStatus: status,
  advisoryIDs: advisories,
});

const label = v.optional(v.pipe(v.string(), v.maxLength(64)));
const components = v.pipe(v.array(v.object({ svn, category: label, type: label })), v.length(16));
const levelRest = { tcbDate: isoTime, tcbStatus: status, advisoryIDs: advisories };
const level3 = v.object({
  tcb: v.object({ sgxtcbcomponents: components, pcesvn: u16, tdxtcbcomponents: v.optional(components) }),
  ...levelRest,
});
const svnKeys = Array.from({ length: 16 }, (_, i) => `sgxtcbcomp${String(i + 1).padStart(2, '0')}svn`);
const level2 = v.object({
  tcb: v.object({ ...Object.fromEntries(svnKeys.map((key) => [key, svn])), pcesvn: u16 }),
  ...levelRest,
});

const head = {
  issueDate: isoTime,
  nextUpdate: isoTime,
  fmspc: hexOf(6),
  pceId: hexOf(2),
  tcbType: v.literal(0),
  tcbEvaluationDataNumber: count,
};
const levels = <T extends v.GenericSchema>(level: T) =>
  v.pipe(v.array(level), v.minLength(1), v.maxLength(1024));
const module = { mrsigner: hexOf(48), attributes: hexOf(8), attributesMask: hexOf(8) };

const schema = v.variant('version', [
  v.object({
    ...head,
    version: v.literal(3),
    id: v.picklist(['SGX', 'TDX']),
    tdxModule: v.optional(v.object(module)),
    tdxModuleIdentities: v.optional(
      v.pipe(
        v.array(
          v.object({ ...module, id: v.pipe(v.string(), v.maxLength(64)), tcbLevels: levels(isvLevel) }),
        ),
        v.maxLength(256),
      ),
      [],
    ),
    tcbLevels: levels(level3),
  }),
  v.object({ ...head, version: v.literal(2), tcbLevels: levels(level2) }),
]);

/** Who updates a component, "BIOS" or "OS/VMM", and what it is, in Intel's words; neither where Intel does not say. */
export interface ComponentName {
  readonly category: string | undefined;
  readonly type: string | undefined;
}

export interface TcbLevel {
  readonly sgx: readonly number[];
  readonly pceSvn: number;
  readonly tdx: readonly number[] | undefined;
  readonly names: { readonly sgx: readonly ComponentName[]; readonly tdx: readonly ComponentName[] };
  readonly date: string;
  readonly status: IntelStatus;
  readonly advisories: readonly string[];
}

export interface IsvLevel {
  readonly isvSvn: number;
  readonly date: string;
  readonly status: IntelStatus;
  readonly advisories: readonly string[];
}

export interface TdxModule {
  readonly mrSigner: string;
  readonly attributes: string;
  readonly attributesMask: string;
}

/** Intel's TCB information (PCS API v3 and v4) of one kind of platform. */
export interface TcbInfo {
  readonly id: 'SGX' | 'TDX';
  readonly version: 2 | 3;
  readonly issueDate: string;
  readonly nextUpdate: string;
  readonly fmspc: string;
  readonly pceId: string;
  readonly evaluationDataNumber: number;
  readonly tdxModule: TdxModule | undefined;
  readonly tdxModuleIdentities: readonly (TdxModule & {
    readonly id: string;
    readonly levels: readonly IsvLevel[];
  })[];
  /** Highest first. */
  readonly levels: readonly TcbLevel[];
}

export function toIsvLevel(level: v.InferOutput<typeof isvLevel>): IsvLevel {
  return {
    isvSvn: level.tcb.isvsvn,
    date: level.tcbDate,
    status: level.tcbStatus,
    advisories: level.advisoryIDs,
  };
}

function compareLevels(a: TcbLevel, b: TcbLevel): number {
  const left = [...a.sgx, a.pceSvn, ...(a.tdx ?? [])];
  const right = [...b.sgx, b.pceSvn, ...(b.tdx ?? [])];
  const at = left.findIndex((svn, i) => svn !== right[i]);
  return at < 0 ? 0 : (right[at] ?? 0) - (left[at] as number);
}

const svns = (list: readonly { readonly svn: number }[]): number[] => list.map((component) => component.svn);

const names = (list: readonly Partial<ComponentName>[] | undefined): ComponentName[] =>
  (list ?? []).map(({ category, type }) => ({ category, type }));

const textLimit = 1024 * 1024;

/** Parses the signed text of Intel collateral with a schema; a text that does not fit throws `VerifyError`. */
export function parseSigned<T extends v.GenericSchema>(
  text: string,
  schema: T,
  what: string,
): v.InferOutput<T> {
  if (text.length > textLimit)
    throw new VerifyError(
      'VERIFY_COLLATERAL',
      `${what}: at most ${textLimit} characters expected, ${text.length} found`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VerifyError('VERIFY_COLLATERAL', `${what}: JSON expected, other text found`, { cause });
  }
  const result = v.safeParse(schema, value);
  if (!result.success) {
    const [issue] = result.issues;
    throw new VerifyError(
      'VERIFY_COLLATERAL',
      `${what}: ${issue.expected ?? 'another value'} expected at "${v.getDotPath(issue) ?? ''}", ${issue.received} found`,
    );
  }
  return result.output;
}

export function parseTcbInfo(text: string): TcbInfo {
  const info = parseSigned(text, schema, 'TCB info');
  const head = {
    issueDate: info.issueDate,
    nextUpdate: info.nextUpdate,
    fmspc: info.fmspc,
    pceId: info.pceId,
    evaluationDataNumber: info.tcbEvaluationDataNumber,
  };
  if (info.version === 2) {
    const levels = info.tcbLevels.map((level) => ({
      sgx: svnKeys.map((key) => (level.tcb as Record<string, number>)[key] as number),
      pceSvn: level.tcb.pcesvn,
      tdx: undefined,
      names: { sgx: [], tdx: [] },
      date: level.tcbDate,
      status: level.tcbStatus,
      advisories: level.advisoryIDs,
    }));
    return {
      ...head,
      id: 'SGX',
      version: 2,
      tdxModule: undefined,
      tdxModuleIdentities: [],
      levels: levels.sort(compareLevels),
    };
  }
  const toModule = (m: { mrsigner: string; attributes: string; attributesMask: string }): TdxModule => ({
    mrSigner: m.mrsigner,
    attributes: m.attributes,
    attributesMask: m.attributesMask,
  });
  const levels = info.tcbLevels.map((level) => ({
    sgx: svns(level.tcb.sgxtcbcomponents),
    pceSvn: level.tcb.pcesvn,
    tdx: level.tcb.tdxtcbcomponents === undefined ? undefined : svns(level.tcb.tdxtcbcomponents),
    names: { sgx: names(level.tcb.sgxtcbcomponents), tdx: names(level.tcb.tdxtcbcomponents) },
    date: level.tcbDate,
    status: level.tcbStatus,
    advisories: level.advisoryIDs,
  }));
  return {
    ...head,
    id: info.id,
    version: 3,
    tdxModule: info.tdxModule === undefined ? undefined : toModule(info.tdxModule),
    tdxModuleIdentities: info.tdxModuleIdentities.map((m) => ({
      ...toModule(m),
      id: m.id,
      levels: m.tcbLevels.map((level) => toIsvLevel(level)),
    })),
    levels: levels.sort(compareLevels),
  };
}

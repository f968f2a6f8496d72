import * as v from 'valibot';
import { VerifyError } from './errors.ts';
import { tolerations, type AppraisalPolicy } from './policy.ts';

const hex = (bytes: number) =>
  v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`), `${bytes * 2} hexadecimal digits`));
const svn = (maximum: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum));
const range = v.union([
  v.pipe(
    svn(65_535),
    v.transform((value) => ({ minimum: value, maximum: value })),
  ),
  v.pipe(
    v.strictObject({ minimum: v.optional(svn(65_535), 0), maximum: v.optional(svn(65_535), 65_535) }),
    v.check(({ minimum, maximum }) => minimum <= maximum, 'a minimum up to the maximum'),
  ),
]);
const notChecked = v.literal('not-checked');

const signer = { mrsigner: hex(32), isvprodid: range, isvsvn: range };
const sgx = v.union([
  v.strictObject({ mrenclave: hex(32) }),
  v.strictObject(signer),
  v.strictObject({ mrenclave: hex(32), ...signer }),
]);
const tdx = v.strictObject({
  mrtd: hex(48),
  rtmr0: hex(48),
  rtmr1: hex(48),
  rtmr2: hex(48),
  rtmr3: hex(48),
  mrconfigid: v.optional(hex(48)),
  mrowner: v.optional(hex(48)),
  mrownerconfig: v.optional(hex(48)),
  mrseam: v.optional(hex(48)),
  mrservicetd: v.optional(hex(48)),
  requireSeptVeDisable: v.optional(v.boolean()),
});
const part = v.optional(svn(255));
const snp = v.strictObject({
  measurement: hex(48),
  hostData: hex(32),
  vmpl: svn(3),
  idKeyDigest: v.optional(hex(48)),
  authorKeyDigest: v.optional(hex(48)),
  familyId: v.optional(hex(16)),
  imageId: v.optional(hex(16)),
  minimumGuestSvn: v.optional(svn(0xffff_ffff)),
  minimumTcb: v.optional(
    v.strictObject({ fmc: part, bootloader: part, tee: part, snp: part, microcode: part }),
  ),
  allowMigrationAgent: v.optional(v.boolean()),
  allowProvisionalFirmware: v.optional(v.boolean()),
  requireRevocationList: v.optional(v.boolean()),
  requireAliasCheck: v.optional(v.boolean()),
  requireSmtDisabled: v.optional(v.boolean()),
});
const nitro = v.strictObject({
  pcr0: hex(48),
  pcr1: hex(48),
  pcr2: hex(48),
  pcr3: v.optional(hex(48)),
  pcr4: v.optional(hex(48)),
  pcr8: v.optional(hex(48)),
});
const tpm = v.strictObject({
  pcrs: v.pipe(
    v.record(
      v.pipe(v.string(), v.regex(/^(?:[0-9]|[12][0-9]|3[01])$/)),
      v.pipe(v.string(), v.regex(/^(?:[0-9a-fA-F]{2}){20,64}$/)),
    ),
    v.check((pcrs) => Object.keys(pcrs).length > 0, 'at least one PCR'),
  ),
});
const identities = <T extends v.GenericSchema>(schema: T) =>
  v.optional(v.union([v.pipe(v.array(schema), v.maxLength(1024)), notChecked]));
const advisories = v.union([v.literal('*'), v.array(v.pipe(v.string(), v.maxLength(64)))]);
const day = 86_400_000;

const schema = v.strictObject({
  acceptSimulation: v.optional(v.boolean(), false),
  tolerate: v.optional(v.array(v.picklist(tolerations)), []),
  ignoreAdvisories: v.optional(
    v.union([
      advisories,
      v.strictObject({
        sgx: v.optional(advisories),
        tdx: v.optional(advisories),
        snp: v.optional(advisories),
        nitro: v.optional(advisories),
        tpm: v.optional(advisories),
      }),
    ]),
    [],
  ),
  sgx: identities(sgx),
  tdx: identities(tdx),
  snp: identities(snp),
  nitro: identities(nitro),
  tpm: identities(tpm),
  platforms: v.optional(v.array(v.pipe(v.string(), v.regex(/^(?:[0-9a-fA-F]{2})+$/)))),
  quotingEnclaves: v.optional(v.array(hex(16))),
  minimumTcbDate: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  minimumEvaluationNumber: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  graceDays: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3650))),
  reportData: v.optional(v.pipe(v.string(), v.regex(/^(?:[0-9a-fA-F]{2}){1,1024}$/))),
});

type Ignored = v.InferOutput<typeof schema>['ignoreAdvisories'];

/** Leaves out TEEs that are not named: an absent list and an undefined one are not the same type. */
function withoutAbsent(value: Ignored): AppraisalPolicy['ignoreAdvisories'] {
  if (value === '*' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, list]) => list !== undefined));
}

/**
 * The policy that a file's value (parsed JSON or YAML) states; every key is optional, unknown ones are refused, and what is not named is not
 * accepted. Throws `VerifyError`.
 */
export function parseAppraisalPolicy(value: unknown): AppraisalPolicy {
  const result = v.safeParse(schema, value);
  if (!result.success) {
    const [issue] = result.issues;
    throw new VerifyError(
      'VERIFY_POLICY',
      `policy: ${issue.expected ?? issue.message} expected at "${v.getDotPath(issue) ?? ''}", ${issue.received} found`,
      {
        hint: 'TDX identities name mrtd and rtmr0 to rtmr3; SNP identities name measurement, hostData and vmpl',
      },
    );
  }
  const { minimumTcbDate, graceDays, reportData, sgx, tdx, snp, nitro, tpm, ignoreAdvisories, ...rest } =
    result.output;
  return {
    ...rest,
    ignoreAdvisories: withoutAbsent(ignoreAdvisories),
    ...(sgx === undefined ? {} : { sgx }),
    ...(tdx === undefined ? {} : { tdx }),
    ...(snp === undefined ? {} : { snp }),
    ...(nitro === undefined ? {} : { nitro }),
    ...(tpm === undefined ? {} : { tpm }),
    minimumTcbDate: minimumTcbDate === undefined ? undefined : new Date(minimumTcbDate),
    gracePeriod: graceDays === undefined ? undefined : graceDays * day,
    reportData: reportData === undefined ? 'not-checked' : Uint8Array.fromHex(reportData),
  };
}

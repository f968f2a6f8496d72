import { EvidenceError } from '../errors.ts';
import { isMembers, jsonBytes, type Members } from '../encoding.ts';
import { reportSize } from './quote.ts';

/** Where byte strings stand in a report: name in JSON, offset, size (AMD 56860, ATTESTATION_REPORT). */
const strings = [
  ['family_id', 0x10, 16],
  ['image_id', 0x20, 16],
  ['report_data', 0x50, 64],
  ['measurement', 0x90, 48],
  ['host_data', 0xc0, 32],
  ['id_key_digest', 0xe0, 48],
  ['author_key_digest', 0x110, 48],
  ['report_id', 0x140, 32],
  ['report_id_ma', 0x160, 32],
  ['chip_id', 0x1a0, 64],
] as const;

const numbers = [
  ['version', 0x00, 4],
  ['guest_svn', 0x04, 4],
  ['policy', 0x08, 8],
  ['vmpl', 0x30, 4],
  ['sig_algo', 0x34, 4],
  ['plat_info', 0x40, 8],
] as const;

/** Not in every version of the report or of the form: zero where they are absent, or null. */
const optionalNumbers = [
  ['key_info', 0x48, 4],
  ['_author_key_en', 0x48, 4],
  ['cpuid_fam_id', 0x188, 1],
  ['cpuid_mod_id', 0x189, 1],
  ['cpuid_step', 0x18a, 1],
  ['launch_mit_vector', 0x1f8, 8],
  ['current_mit_vector', 0x200, 8],
] as const;

const tcbs = [
  ['current_tcb', 0x38],
  ['reported_tcb', 0x180],
  ['committed_tcb', 0x1e0],
  ['launch_tcb', 0x1f0],
] as const;

const versions = [
  ['current', 0x1e8],
  ['committed', 0x1ec],
] as const;

const scalarSize = 72;

function refuse(name: string): never {
  throw new EvidenceError(
    'EVIDENCE_STRUCTURE',
    `SNP report as JSON: a value of the right size expected in "${name}", something else found`,
  );
}

const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;

function members(parent: Members, name: string): Members {
  const value = parent[name];
  return isMembers(value) ? value : refuse(name);
}

/** JSON's numbers are exact to 2⁵³ only; greater ones would become others. */
function put(report: Uint8Array, offset: number, size: number, value: unknown, name: string): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * size))
    return refuse(name);
  for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) report[offset + i] = rest % 256;
}

function putBytes(report: Uint8Array, offset: number, size: number, value: unknown, name: string): void {
  const bytes = jsonBytes(value, name);
  if (bytes.length !== size) return refuse(name);
  report.set(bytes, offset);
}

/** Turin and later have an FMC, and another order of the parts. */
function putTcb(report: Uint8Array, offset: number, tcb: Members, name: string): void {
  const { fmc, bootloader, tee, snp, microcode } = tcb;
  const parts = isAbsent(fmc) ? [bootloader, tee, 0, 0, 0, 0, snp] : [fmc, bootloader, tee, snp, 0, 0, 0];
  for (const [i, part] of [...parts, microcode].entries()) put(report, offset + i, 1, part, name);
}

/** A member of its own since some version of the form, before it three at the top. */
function putVersion(report: Uint8Array, offset: number, fields: Members, name: string): void {
  const own = fields[name];
  for (const [i, part] of ['build', 'minor', 'major'].entries())
    put(report, offset + i, 1, isMembers(own) ? own[part] : fields[`${name}_${part}`], name);
}

/**
 * The bytes of a report from its fields as JSON has them (virtee's `sev` library, and all that use it). What is reserved is zero: where a processor set it, the
 * signature fails. Attacker-controlled; throws `EvidenceError`.
 */
export function encodeReportFields(fields: Members): Uint8Array {
  const report = new Uint8Array(reportSize);
  for (const [name, offset, size] of numbers) put(report, offset, size, fields[name], name);
  for (const [name, offset, size] of optionalNumbers)
    if (!isAbsent(fields[name])) put(report, offset, size, fields[name], name);
  for (const [name, offset, size] of strings) putBytes(report, offset, size, fields[name], name);
  for (const [name, offset] of tcbs) putTcb(report, offset, members(fields, name), name);
  for (const [name, offset] of versions) putVersion(report, offset, fields, name);
  const signature = members(fields, 'signature');
  for (const [i, name] of ['r', 's'].entries())
    putBytes(report, 0x2a0 + i * scalarSize, scalarSize, signature[name], name);
  return report;
}

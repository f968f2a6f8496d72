import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { utf8 } from '@ensconce/base/bytes';
import { textBytes } from '@ensconce/evidence/encoding';
import { pemBlocks } from '@ensconce/x509/pem';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { EvidenceReportError, type EvidenceReportErrorCode } from './errors.ts';

/** Bytes; evidence with its event log stays far below. */
const evidenceLimit = 16 * 1024 * 1024;
const collateralFileLimit = 16 * 1024 * 1024;
/** Files looked at in a folder, and folders within folders. */
const fileLimit = 2000;
const depthLimit = 4;

function readLimited(path: string, limit: number, code: EvidenceReportErrorCode): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > limit)
      throw new EvidenceReportError(code, `${path}: at most ${limit} bytes expected, ${size} found`);
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof EvidenceReportError) throw cause;
    throw new EvidenceReportError(code, `${path}: a readable file expected`, {
      cause,
      hint: 'check path and permissions',
    });
  }
}

const latin1 = new TextDecoder('latin1');

/** Evidence is often handed around as text: hexadecimal, with or without 0x, or base64. Anything else stays as it is. */
export function decodeText(bytes: Uint8Array): Uint8Array {
  if (
    bytes.length > 2 * 1024 * 1024 ||
    bytes
      .subarray(0, 256)
      .some((byte) => byte > 0x7e || (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13))
  )
    return bytes;
  return textBytes(latin1.decode(bytes)) ?? bytes;
}

export function readEvidence(path: string): Uint8Array {
  return decodeText(readLimited(path, evidenceLimit, 'EVIDENCE_FILE'));
}

function walk(path: string, depth: number, files: string[]): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (files.length >= fileLimit) return;
    const child = join(path, entry.name);
    if (entry.isDirectory() && depth > 0) walk(child, depth - 1, files);
    else if (entry.isFile()) files.push(child);
  }
}

function filesOf(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const files: string[] = [];
    walk(path, depthLimit, files);
    return files.sort();
  } catch (cause) {
    throw new EvidenceReportError('EVIDENCE_COLLATERAL_FILE', `${path}: a readable file or folder expected`, {
      cause,
      hint: 'check path and permissions',
    });
  }
}

/** Some tools keep bundles as YAML with the same members. */
function asJson(path: string, bytes: Uint8Array): Uint8Array {
  if (!/\.ya?ml$/.test(path)) return bytes;
  try {
    return utf8(JSON.stringify(parse(latin1.decode(bytes), { maxAliasCount: 0 })));
  } catch (cause) {
    throw new EvidenceReportError(
      'EVIDENCE_COLLATERAL_FILE',
      `${path}: YAML expected, something else found`,
      { cause },
    );
  }
}

/**
 * Everything in the given files and folders that is collateral; in folders other files are passed over. A file that is named itself and is
 * no collateral is an error.
 */
export function readCollateral(paths: readonly string[]): CollateralPool {
  const pool = new CollateralPool();
  for (const path of paths) {
    const files = filesOf(path);
    for (const file of files) {
      const known = pool.add(
        asJson(file, readLimited(file, collateralFileLimit, 'EVIDENCE_COLLATERAL_FILE')),
      );
      if (!known && file === path) {
        throw new EvidenceReportError(
          'EVIDENCE_COLLATERAL_FILE',
          `${path}: a collateral bundle, certificate, revocation list or vendor response expected, something else found`,
        );
      }
    }
  }
  return pool;
}

/** Root certificates, PEM or DER, of simulated vendors. */
export function readRoots(paths: readonly string[]): Uint8Array[] {
  return paths.flatMap((path) => {
    const bytes = readLimited(path, collateralFileLimit, 'EVIDENCE_COLLATERAL_FILE');
    return bytes[0] === 0x30 ? [bytes] : pemBlocks(latin1.decode(bytes), 'CERTIFICATE', 16);
  });
}

/** The text of a policy file. */
export function readPolicyText(path: string): string {
  return new TextDecoder().decode(readLimited(path, 1024 * 1024, 'EVIDENCE_POLICY_FILE'));
}

export function readBytes(path: string): Uint8Array {
  return readLimited(path, 64 * 1024 * 1024, 'EVIDENCE_COLLATERAL_FILE');
}

/** Writes a whole file or none. */
export function writeText(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.part`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (cause) {
    throw new EvidenceReportError(
      'EVIDENCE_COLLATERAL_FILE',
      `${path}: a file that can be written expected`,
      { cause },
    );
  }
}

import { EvidenceError } from '@ensconce/evidence/errors';
import { detectFormat } from '@ensconce/evidence/detect';
import { requiredFor } from '@ensconce/verify/intel/required';
import { unpackEvidence } from '@ensconce/evidence/packaging';
import type { EvidenceFormat } from '@ensconce/evidence/format';
import { knownFormats } from './formats.ts';
import { verdictExitCodes, type CommandResult } from './exit-code.ts';

const byteLimit = 128;
const hint = 'give its bytes, hexadecimal, base64, a certificate, or the JSON that a tool wrote';

/** Byte strings as hexadecimal, long ones by their length, so that any parsed evidence can be printed. */
function printable(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length <= byteLimit ? value.toHex() : `${value.length} bytes`;
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Map) return printable(Object.fromEntries(value as Map<string, unknown>));
  if (Array.isArray(value)) return value.map((item) => printable(item));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => name !== 'signed' && name !== 'vouching' && name !== 'bytes')
        .map(([name, member]) => [name, printable(member)]),
    );
  }
  return value;
}

/** Which collateral judging takes, where the evidence says. */
function required(format: EvidenceFormat, evidence: Uint8Array): object {
  return format === 'sgx' || format === 'tdx'
    ? { requiredCollateral: requiredFor(evidence, format) ?? null }
    : {};
}

function lines(value: unknown, indent: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    if (typeof member === 'object' && member !== null)
      return [`${indent}${name}:`, ...lines(member, `${indent}  `)];
    const text = String(member);
    return text.includes('\n')
      ? [`${indent}${name}: ${text.split('\n').length} lines`]
      : [`${indent}${name}: ${text}`];
  });
}

/** `ensconce evidence show`: every field of the evidence, unverified. Exit code 0, or that of evidence that cannot be read. */
export function showCommand(packaged: Uint8Array, json: boolean): CommandResult {
  try {
    const { evidence } = unpackEvidence(packaged);
    const format = detectFormat(evidence);
    if (format === undefined)
      throw new EvidenceError('EVIDENCE_UNSUPPORTED', `${knownFormats} expected, something else found`);
    const fields = printable({ ...format.fields(evidence), ...required(format.name, evidence) });
    return {
      exitCode: 0,
      stdout: json ? `${JSON.stringify(fields, undefined, 2)}\n` : `${lines(fields, '').join('\n')}\n`,
      stderr: 'note: nothing of this has been verified\n',
    };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return {
      exitCode: verdictExitCodes['not-genuine'],
      stdout: '',
      stderr: `error: ${error.message}\nhint: ${error.hint ?? hint}\n`,
    };
  }
}

import { EvidenceError } from '@ensconce/evidence/errors';
import { detectEvidence, type EvidenceFormat } from '@ensconce/evidence/detect';
import { isAzureEvidence, parseAzureEvidence } from '@ensconce/evidence/azure/envelope';
import { parseHclReport } from '@ensconce/evidence/azure/quote';
import { parseHclRuntimeData } from '@ensconce/evidence/azure/body';
import { parseNitroDocument } from '@ensconce/evidence/nitro/quote';
import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { parseTpmEvidence } from '@ensconce/evidence/tpm/envelope';
import { unpackEvidence } from '@ensconce/evidence/packaging';
import { knownFormats } from './formats.ts';
import { requiredIntelCollateral } from '@ensconce/verify/intel/required';
import { verdictExitCodes, type CommandResult } from './exit-code.ts';

const byteLimit = 128;

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

const parsers: Readonly<Record<EvidenceFormat, (bytes: Uint8Array) => object>> = {
  sgx: (bytes) => {
    const quote = parseSgxQuote(bytes, 'ignore');
    return { ...quote, requiredCollateral: requiredIntelCollateral(quote) ?? null };
  },
  tdx: (bytes) => {
    const quote = parseTdxQuote(bytes, 'ignore');
    return { ...quote, requiredCollateral: requiredIntelCollateral(quote) ?? null };
  },
  snp: (bytes) => parseSnpReport(bytes, 'ignore'),
  nitro: (bytes) => parseNitroDocument(bytes),
  tpm: (bytes) => parseTpmEvidence(bytes),
  azure: (bytes) => {
    const report = parseHclReport(isAzureEvidence(bytes) ? parseAzureEvidence(bytes).hclReport : bytes);
    return { ...report, runtimeData: parseHclRuntimeData(report.runtimeData) };
  },
};

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
    const format = detectEvidence(evidence);
    if (format === undefined)
      throw new EvidenceError('EVIDENCE_UNSUPPORTED', `${knownFormats} expected, something else found`);
    const fields = printable(parsers[format](evidence));
    return {
      exitCode: 0,
      stdout: json ? `${JSON.stringify(fields, undefined, 2)}\n` : `${lines(fields, '').join('\n')}\n`,
      stderr: 'note: nothing of this has been verified\n',
    };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { exitCode: verdictExitCodes['not-genuine'], stdout: '', stderr: `${error.message}\n` };
  }
}

import { readFileSync } from 'node:fs';
import { inclusion } from '@ensconce/api/audit-client';
import { AuditError } from '@ensconce/audit/errors';
import { leafHash, verifyInclusion } from '@ensconce/audit/proof';
import { checkSignature, lineLimit, parseRecord } from '@ensconce/audit/record';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CliError } from '../errors.ts';
import { writeResult } from '../output/result.ts';
import { withUnwatchedCas } from '../state/attested-cas.ts';
import { watchLog } from '../state/seen-log.ts';
import type { Verb } from '../verb.ts';

export const casVerifyRecord: Verb = {
  name: 'cas verify-record',
  summary: 'verify that one record is in the audit log of CAS',
  examples: [
    'ensconce cas verify-record record.json',
    'sed -n 4711p audit.jsonl > r; ensconce cas verify-record r',
  ],
  define(command, io) {
    command
      .argument('<file>', 'one line of an audit log')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (file: string, options: { cas?: string; json?: true }) => {
        const line = readLine(file);
        const record = parseRecord(line);
        const { sequence, at, event } = record;
        const size = await withUnwatchedCas(io, options.cas, async (cas) => {
          const { checkpoint, key } = await watchLog(io, cas);
          if (sequence > checkpoint.size)
            throw new AuditError(
              'AUDIT_PROOF',
              `record ${sequence}: a log that has it expected, one of ${checkpoint.size} records found`,
            );
          if (record.signature !== undefined) await checkSignature(key, record);
          const proof = await inclusion(cas, sequence, checkpoint.size);
          await verifyInclusion(
            nodeCrypto,
            checkpoint,
            sequence - 1,
            await leafHash(nodeCrypto, line),
            proof,
          );
          return checkpoint.size;
        });
        writeResult(
          io,
          options,
          { sequence, at, type: event.type, size },
          () => `record ${sequence} (${event.type}, ${at}) is in the log of ${size} records`,
        );
      });
  },
};

function readLine(file: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a readable file expected`, { cause });
  }
  if (bytes.length > lineLimit + 1) throw new CliError('CLI_FILE', `${file}: one line expected, more found`);
  return bytes.at(-1) === 10 ? bytes.subarray(0, -1) : bytes;
}

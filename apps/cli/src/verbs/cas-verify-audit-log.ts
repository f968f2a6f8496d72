import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { consistency, newestCheckpoint } from '@ensconce/api/audit-client';
import { linesOf } from '@ensconce/audit/chain';
import { ForkedLogError } from '@ensconce/audit/errors';
import { judgeLog, type LogJudgement, type LogMark, type LogProblem } from '@ensconce/audit/log';
import { verifyConsistency, type TreeHead } from '@ensconce/audit/proof';
import { lineLimit, type AuditRecord } from '@ensconce/audit/record';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CliError, type CliErrorCode } from '../errors.ts';
import type { Io } from '../io.ts';
import { writeResult } from '../output/result.ts';
import { attestedCasOf, withUnwatchedCas } from '../state/attested-cas.ts';
import { loadSeenLog, seeLog } from '../state/seen-log.ts';
import type { Verb } from '../verb.ts';

const markOf = (text: string): LogMark => {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('NUMBER:HASH expected.');
  return { sequence: Number(match[1]), hash: match[2] as string };
};

const identityOf = (text: string): string => {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('64 hexadecimal digits expected.');
  return text;
};

const missingHint = 'records that were there earlier are gone: keep both copies as evidence';
const changedHint = 'the log was changed after it was written: keep it as evidence';

const problems: Readonly<Record<LogProblem, { readonly code: CliErrorCode; readonly hint: string }>> = {
  'one-commit-lost': {
    code: 'CLI_AUDIT_LOG_COMMIT_LOST',
    hint: 'CAS was ended between a record and its change, or the host put its database back by that one change: look whether the change is there',
  },
  'cut-at-end': { code: 'CLI_AUDIT_LOG_CUT_AT_END', hint: missingHint },
  'cut-at-start': {
    code: 'CLI_AUDIT_LOG_CUT_AT_START',
    hint: 'give the files before it with --predecessor, the oldest first',
  },
  'end-unknown': {
    code: 'CLI_AUDIT_LOG_END_UNKNOWN',
    hint: 'what is there holds; use --online to ask CAS where its log ends, or --last with what was shown the last time',
  },
  missing: { code: 'CLI_AUDIT_LOG_MISSING', hint: missingHint },
  replaced: { code: 'CLI_AUDIT_LOG_MISSING', hint: missingHint },
  'rolled-back': {
    code: 'CLI_AUDIT_LOG_ROLLED_BACK',
    hint: 'the database of CAS was put back to an earlier state: trust nothing that it did since',
  },
  'wrong-cas': { code: 'CLI_AUDIT_LOG_OTHER_CAS', hint: 'name the CAS that wrote it with -c' },
  broken: { code: 'CLI_AUDIT_LOG_BROKEN', hint: changedHint },
};

export const auditLogExitCodes = `Exit codes:
  0    the log is whole and continues all that was seen of it
  10   a change that was announced was not in the database when CAS started again
  14   the newest records are missing
  15   the oldest records are missing
  16   nothing was seen of it before, so whether its newest records are missing cannot be told
  17   records that were seen, or records between others, are missing
  18   the database of CAS was put back
  19   the log of another CAS
  20   the log was changed
  1 to 6 and 130 as everywhere (ensconce cas list --help)`;

export interface LogFiles {
  /** In order, the newest last. */
  readonly files: readonly string[];
  readonly casIdentity: string;
  /** For messages. */
  readonly name: string;
  readonly last?: LogMark | undefined;
  readonly onRecord?: (record: AuditRecord) => void;
}

/** With these all that is in the log can be believed. */
const mild: ReadonlySet<LogProblem> = new Set(['end-unknown', 'one-commit-lost']);

/** Judges log files; throws for every problem for which what is in them cannot be believed. */
export async function judgeLogFiles(
  io: Io,
  log: LogFiles,
): Promise<LogJudgement & { readonly end: LogMark }> {
  const seen = await loadSeenLog(io, log.casIdentity);
  const judgement = await judgeLog({
    crypto: nodeCrypto,
    sha256: (data) => hash('sha256', data, 'buffer'),
    lines: linesOfFiles(io, log.files),
    casIdentity: log.casIdentity,
    key: seen?.key,
    kept: seen?.checkpoint,
    last: log.last,
    ...(log.onRecord === undefined ? {} : { onRecord: log.onRecord }),
  });
  const { problem, end } = judgement;
  if (end === undefined || (problem !== undefined && !mild.has(problem.kind)))
    throw problemError(log.name, judgement);
  return { ...judgement, end };
}

export function problemError(name: string, { problem }: LogJudgement): CliError {
  const { kind = 'broken', reason = 'it cannot be read' } = problem ?? {};
  const { code, hint } = problems[kind];
  return new CliError(code, `audit log of CAS ${name}: ${reason}`, { hint });
}

async function* linesOfFiles(io: Io, files: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    try {
      yield* linesOf(createReadStream(file, { signal: io.signal, highWaterMark: 1_048_576 }), lineLimit);
    } catch (cause) {
      if (!(cause instanceof Error && 'syscall' in cause)) throw cause;
      throw new CliError('CLI_FILE', `${file}: a readable file expected`, { cause });
    }
  }
}

interface Options {
  readonly cas?: string;
  readonly identity?: string;
  readonly predecessor?: readonly string[];
  readonly last?: LogMark;
  readonly online?: true;
  readonly json?: true;
}

export const casVerifyAuditLog: Verb = {
  name: 'cas verify-audit-log',
  summary: 'verify a copy of the audit log of CAS, without asking CAS',
  examples: [
    'ensconce cas verify-audit-log audit.jsonl',
    'ensconce cas verify-audit-log audit.jsonl --last 4711:HASH',
    'ensconce cas verify-audit-log audit.2.jsonl --predecessor audit.1.jsonl --online',
  ],
  exitCodes: auditLogExitCodes,
  define(command, io) {
    command
      .argument('<log>', 'the file')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--identity <hex>', 'which CAS, by the SHA-256 of its public key, instead', identityOf)
      .option('-p, --predecessor <file...>', 'the files before it, the oldest first, where the log was split')
      .option(
        '--last <number:hash>',
        'what this command showed the last time; it must still be in the log',
        markOf,
      )
      .option(
        '--online',
        'ask CAS for its newest checkpoint, and whether the copy is what its log begins with',
      )
      .option('--json', 'write JSON')
      .action(async (file: string, options: Options) => {
        if (options.identity !== undefined && (options.cas !== undefined || options.online === true))
          command.error('error: --identity without --cas and --online expected');
        const { name, casIdentity } = whichCas(io, options);
        const files = [...(options.predecessor ?? []), file];
        const judgement = await judgeLogFiles(io, { files, casIdentity, name, last: options.last });
        const { end, head, problem } = judgement;
        const newest = options.online === true ? await newestAt(io, options.cas, head) : undefined;
        const shown = {
          ...end,
          root: head === undefined ? null : Buffer.from(head.root).toString('base64'),
          newest: newest ?? null,
        };
        writeResult(io, options, shown, () => `${end.sequence}:${end.hash}`);
        if (newest !== undefined && newest > end.sequence)
          io.stderr(`the log of CAS has ${newest - end.sequence} records more by now\n`);
        if (problem !== undefined && (newest === undefined || problem.kind !== 'end-unknown'))
          throw problemError(name, judgement);
      });
  },
};

function whichCas(io: Io, options: Options): { readonly name: string; readonly casIdentity: string } {
  if (options.identity !== undefined) return { name: options.identity, casIdentity: options.identity };
  const { name, entry } = attestedCasOf(io, options.cas);
  return { name, casIdentity: entry.identity };
}

/** How many records the log of CAS has now; it begins with those of the copy. */
function newestAt(io: Io, cas: string | undefined, head: TreeHead | undefined): Promise<number> {
  if (head === undefined)
    throw new CliError(
      'CLI_USAGE',
      'audit log: one of format 2 from its first record on expected with --online',
    );
  return withUnwatchedCas(io, cas, (connection) =>
    seeLog(io, connection, async (kept) => {
      const seen = await newestCheckpoint(nodeCrypto, connection, kept?.checkpoint);
      const { size } = seen.checkpoint;
      if (size < head.size) {
        const found = `${head.size} records or more expected, as in the copy, ${size} found`;
        throw new ForkedLogError(found, [seen.checkpoint.note]);
      }
      const proof = head.size === size ? [] : await consistency(connection, head.size, size);
      await verifyConsistency(nodeCrypto, head, seen.checkpoint, proof);
      return { seen, result: size };
    }),
  );
}

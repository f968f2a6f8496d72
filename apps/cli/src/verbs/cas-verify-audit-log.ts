import { InvalidArgumentError } from 'commander';
import { verifyAuditLog, type AuditMark } from '@ensconce/cas/audit-log';
import { CliError } from '../errors.ts';
import { writeResult } from '../output/result.ts';
import { attestedCasOf } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

const markOf = (text: string): AuditMark => {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('NUMBER:HASH expected.');
  return { sequence: Number(match[1]), hash: match[2] as string };
};

const problems = {
  cut: {
    code: 'CLI_AUDIT_LOG_CUT',
    hint: 'records that were there earlier are gone: keep both copies as evidence',
  },
  'wrong-cas': { code: 'CLI_AUDIT_LOG_OTHER_CAS', hint: 'name the CAS that wrote it with -c' },
  broken: {
    code: 'CLI_AUDIT_LOG_BROKEN',
    hint: 'the log was changed after it was written: keep it as evidence',
  },
} as const;

export const casVerifyAuditLog: Verb = {
  name: 'cas verify-audit-log',
  summary: 'verify a copy of the audit log of an attested CAS, without asking CAS',
  examples: [
    'ensconce cas verify-audit-log audit.jsonl',
    'ensconce cas verify-audit-log audit.jsonl --last 4711:HASH',
  ],
  define(command, io) {
    command
      .argument('<log>', 'the file')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option(
        '--last <number:hash>',
        'what this command showed the last time; it must still be in the log',
        markOf,
      )
      .option('--json', 'write JSON')
      .addHelpText('after', '\nBesides: 17 records are missing, 19 the log of another CAS, 20 it was changed')
      .action(async (log: string, options: { cas?: string; last?: AuditMark; json?: true }) => {
        const { name, entry } = attestedCasOf(io, options.cas);
        const judgement = await verifyAuditLog(log, entry.identity, options.last).catch((cause: unknown) => {
          throw new CliError('CLI_FILE', `${log}: a readable file expected`, { cause });
        });
        if (!judgement.holds) {
          const { code, hint } = problems[judgement.problem];
          throw new CliError(code, `audit log of CAS ${name}: ${judgement.reason}`, { hint });
        }
        const { sequence, hash } = judgement.mark;
        writeResult(io, options, { sequence, hash }, () => `${sequence}:${hash}`);
      });
  },
};

import * as v from 'valibot';
import { sessionRecords } from '@ensconce/api/audit-client';
import { auditEvent, releasedFrom, type AttestedEvidence, type AuditEvent } from '@ensconce/audit/event';
import type { AuditRecord } from '@ensconce/audit/record';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { printable } from '../output/printable.ts';
import { writeResult } from '../output/result.ts';
import { attestedCasOf, withUnwatchedCas } from '../state/attested-cas.ts';
import { seeLog } from '../state/seen-log.ts';
import type { Verb } from '../verb.ts';
import { auditLogExitCodes, judgeLogFiles, problemError } from './cas-verify-audit-log.ts';

interface Options {
  readonly cas?: string;
  readonly secret?: string;
  readonly log?: readonly string[];
  readonly json?: true;
}

/** All records of a session, oldest first, and how long the log is in which they are all. */
interface Found {
  readonly records: readonly AuditRecord[];
  readonly size: number;
  /** Of a copy that can be believed and is not as it should be. */
  readonly problem?: CliError | undefined;
}

export const sessionAudit: Verb = {
  name: 'session audit',
  summary:
    'list all that the audit log of CAS has on a session, proved to be all: what was released, to what code, where',
  examples: [
    'ensconce session audit team/data',
    'ensconce session audit team/data --secret key',
    'ensconce session audit team/data --log audit.jsonl',
  ],
  exitCodes: auditLogExitCodes,
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .option('--secret <name>', 'only what released this secret')
      .option('--log <file...>', 'read a copy of the log instead of asking CAS, the oldest file first')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (name: string, options: Options) => {
        const { records, size, problem } =
          options.log === undefined
            ? await askCas(io, options.cas, name)
            : await readFiles(io, options.cas, name, options.log);
        const wanted = records.filter(
          (record) =>
            options.secret === undefined || releasedBy(record, name).secrets.includes(options.secret),
        );
        const value = {
          session: name,
          ...(options.secret === undefined ? {} : { secret: options.secret }),
          size,
          count: records.length,
          records: wanted.map(({ sequence, at, event }) => ({ sequence, at, event: event as never })),
        };
        writeResult(io, options, value, () =>
          [
            ...wanted.map((record) => lineOf(record, name)),
            summary(name, options.secret, wanted.length, records.length, size),
          ].join('\n'),
        );
        if (problem !== undefined) throw problem;
      });
  },
};

async function askCas(io: Io, cas: string | undefined, name: string): Promise<Found> {
  return withUnwatchedCas(io, cas, (connection) =>
    seeLog(io, connection, async (kept) => {
      const { checkpoint: seen, records } = await sessionRecords(
        nodeCrypto,
        connection,
        name,
        kept?.checkpoint,
      );
      return { seen, result: { records: records.toReversed(), size: seen.checkpoint.size } };
    }),
  );
}

/** In a whole log that holds, the session's records are numbered through: so all that are there are all. */
async function readFiles(
  io: Io,
  cas: string | undefined,
  session: string,
  files: readonly string[],
): Promise<Found> {
  const { name, entry } = attestedCasOf(io, cas);
  const records: AuditRecord[] = [];
  const judgement = await judgeLogFiles(io, {
    files,
    name,
    casIdentity: entry.identity,
    onRecord: (record) => {
      if (record.sessions.some((place) => place.session === session)) records.push(record);
    },
  });
  if (judgement.head === undefined) {
    throw new CliError('CLI_FILE', 'audit log: one of format 2 from its first record on expected', {
      hint: 'in format 1 records are not numbered for their sessions: nothing shows that they are all',
    });
  }
  const problem = judgement.problem === undefined ? undefined : problemError(name, judgement);
  return { records, size: judgement.end.sequence, problem };
}

function eventOf(record: AuditRecord): AuditEvent | undefined {
  const parsed = v.safeParse(auditEvent, record.event);
  return parsed.success ? parsed.output : undefined;
}

function releasedBy(record: AuditRecord, session: string): ReturnType<typeof releasedFrom> {
  const event = eventOf(record);
  return event === undefined ? { secrets: [], volumes: [] } : releasedFrom(event, session);
}

function lineOf(record: AuditRecord, session: string): string {
  const { sequence, at } = record;
  const event = eventOf(record);
  const { secrets, volumes } = releasedBy(record, session);
  const parts = [
    `#${sequence}`,
    at,
    record.event.type,
    ...(event === undefined ? ['(written by a newer CAS)'] : whoOf(event)),
    ...(event !== undefined && 'evidence' in event ? evidenceWords(event.evidence) : []),
    ...(secrets.length > 0 ? [`secrets: ${secrets.join(', ')}`] : []),
    ...(volumes.length > 0 ? [`volumes: ${volumes.join(', ')}`] : []),
  ];
  return printable(parts.join('  '));
}

function whoOf(event: AuditEvent): string[] {
  if ('service' in event) return [`${event.session}/${event.service}`];
  if (event.type === 'Service refused') return [event.configId, event.reason.join(': ')];
  if (event.type === 'Secrets exported') return [`to session ${event.importer} of CAS ${event.cas}`];
  if (event.type === 'Import bound')
    return [
      `as ${event.as} with ${event.other}`,
      ...(event.cas === undefined ? [] : [`of CAS ${event.cas}`]),
    ];
  if ('signer' in event) return [`by ${event.signer}`];
  if ('identity' in event) return [`by ${event.identity ?? 'a client without a certificate'}`];
  return [];
}

function evidenceWords(evidence: AttestedEvidence | undefined): string[] {
  if (evidence === undefined) return [];
  const { tee, code, signer, image, platform, tcbStatus, simulated, debug } = evidence;
  return [
    ...(simulated ? ['SIMULATED'] : []),
    ...(debug ? ['DEBUG'] : []),
    `${tee} code ${code}`,
    ...(signer === null ? [] : [`signer ${signer}`]),
    ...(image === code ? [] : [`image ${image}`]),
    `machine ${platform === null ? 'not named' : `${platform.kind} ${platform.id}`}`,
    ...(tcbStatus === null ? [] : [`TCB ${tcbStatus}`]),
  ];
}

function summary(
  name: string,
  secret: string | undefined,
  wanted: number,
  all: number,
  size: number,
): string {
  const where = `these are all in the log of ${size} records`;
  if (secret === undefined) return `session ${name}: ${all} records; ${where}`;
  return wanted === 0
    ? `secret ${secret} of session ${name}: never released, by all ${all} records of the session in the log of ${size} records`
    : `secret ${secret} of session ${name}: released ${wanted} times; ${where}`;
}

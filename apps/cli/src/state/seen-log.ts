import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { newestCheckpoint, type SeenLog } from '@ensconce/api/audit-client';
import type { CasConnection } from '@ensconce/api/connection';
import { openCheckpoint } from '@ensconce/audit/checkpoint';
import { endorsementSchema, openEndorsement } from '@ensconce/audit/endorsement';
import { AuditError, ForkedLogError } from '@ensconce/audit/errors';
import { noteLimit } from '@ensconce/audit/note';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { statePath } from './cli-state.ts';

const schema = v.strictObject({
  version: v.literal(1),
  /** The newest checkpoint that this command has seen: a C2SP signed note. */
  checkpoint: v.pipe(v.string(), v.maxLength(noteLimit)),
  endorsement: endorsementSchema,
  /** RFC 3339. */
  seen: v.string(),
});

/** Where the newest checkpoint of a CAS is kept, beside the state; a CAS is the same at another address. */
export const seenLogPath = (io: Io, casIdentity: string): string =>
  join(dirname(statePath(io)), 'audit', `${casIdentity}.json`);

/** What was seen last of a CAS's audit log; undefined before the first time. */
export async function loadSeenLog(io: Io, casIdentity: string): Promise<SeenLog | undefined> {
  const path = seenLogPath(io, casIdentity);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CliError('CLI_STATE', `${path}: a readable file expected`, { cause });
  }
  const parsed = v.safeParse(schema, parseJson(bytes, path, 4 * noteLimit));
  if (!parsed.success) throw new CliError('CLI_STATE', `${path}: ${describeIssue(parsed.issues[0])}`);
  const { endorsement, checkpoint } = parsed.output;
  try {
    const key = await openEndorsement(nodeCrypto, endorsement, casIdentity);
    return { key, endorsement, checkpoint: await openCheckpoint(nodeCrypto, key, checkpoint) };
  } catch (cause) {
    if (!(cause instanceof AuditError)) throw cause;
    throw new CliError('CLI_STATE', `${path}: a checkpoint of CAS ${casIdentity} expected`, { cause });
  }
}

/** Keeps what was seen, unless another process has seen more in the meantime. */
async function saveSeenLog(io: Io, casIdentity: string, { checkpoint, endorsement }: SeenLog): Promise<void> {
  const present = await loadSeenLog(io, casIdentity);
  if (present !== undefined && present.checkpoint.size >= checkpoint.size) return;
  const value: v.InferOutput<typeof schema> = {
    version: 1,
    checkpoint: checkpoint.note,
    endorsement,
    seen: io.now().toISOString(),
  };
  writeWhole(seenLogPath(io, casIdentity), `${JSON.stringify(value, null, 2)}\n`);
}

function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(temporary, text, { mode: 0o600, flush: true });
      renameSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch (cause) {
    throw new CliError('CLI_STATE', `${path}: a writable place expected`, { cause });
  }
}

/**
 * Gets something about the audit log of a CAS that continues what was seen last, and keeps the checkpoint. A log that was rolled back or
 * forked raises the alarm, and nothing is kept but the evidence.
 */
export async function seeLog<Result>(
  io: Io,
  cas: CasConnection,
  get: (kept: SeenLog | undefined) => Promise<{ readonly seen: SeenLog; readonly result: Result }>,
): Promise<Result> {
  const kept = await loadSeenLog(io, cas.identity);
  try {
    const { seen, result } = await get(kept);
    await saveSeenLog(io, cas.identity, seen);
    return result;
  } catch (error) {
    if (error instanceof ForkedLogError) raiseAlarm(io, cas.identity, error);
    throw error;
  }
}

/** Sees to it that the log of a CAS continues what was seen last. */
export function watchLog(io: Io, cas: CasConnection): Promise<SeenLog> {
  return seeLog(io, cas, async (kept) => {
    const seen = await newestCheckpoint(nodeCrypto, cas, kept?.checkpoint);
    return { seen, result: seen };
  });
}

function raiseAlarm(io: Io, casIdentity: string, { notes }: ForkedLogError): void {
  const path = `${seenLogPath(io, casIdentity).replace(/\.json$/, '')}.forked.json`;
  writeWhole(path, `${JSON.stringify({ version: 1, notes, seen: io.now().toISOString() }, null, 2)}\n`);
  io.stderr(
    `ALARM: CAS ${casIdentity} has signed two histories of its audit log: it was rolled back or forked\n` +
      `ALARM: both signed checkpoints are kept in ${path}\n`,
  );
}

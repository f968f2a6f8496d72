import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
import { CasError } from '../errors.ts';
import { readAuditChain } from './audit-chain.ts';
import { signedAuditRecord } from './audit-event.ts';
import { endorsedAuditKey } from './endorsement.ts';

/** Where somebody saw the log stand earlier. */
export interface AuditMark {
  readonly sequence: number;
  /** Hex SHA-256 of that line. */
  readonly hash: string;
}

/** `wrong-cas`: of another CAS. `broken`: changed after it was written. `cut`: an earlier mark is not in it. */
export type LogJudgement =
  | { readonly holds: true; readonly mark: AuditMark }
  | { readonly holds: false; readonly problem: 'wrong-cas' | 'broken' | 'cut'; readonly reason: string };

/** Verifies a copy of an audit log without CAS: from CAS's identity to the audit key to every line. The file is untrusted. */
export async function verifyAuditLog(
  path: string,
  casIdentity: string,
  earlier: AuditMark | undefined,
): Promise<LogJudgement> {
  const first = await firstEvent(path);
  if (first?.type !== 'CAS started') {
    return {
      holds: false,
      problem: 'broken',
      reason: 'CAS started expected as first record, another one found',
    };
  }
  const key = endorsedAuditKey(first, casIdentity);
  if (key === undefined) {
    const reason = `the log of CAS ${casIdentity} expected, that of ${first.casIdentity} found`;
    return { holds: false, problem: 'wrong-cas', reason };
  }
  try {
    const chain = await readAuditChain(path, key, { anchor: earlier?.sequence });
    if (earlier !== undefined && chain.anchorHash !== earlier.hash) {
      const reason = `record ${earlier.sequence} with hash ${earlier.hash} expected, ${chain.anchorHash ?? `only ${chain.sequence} records`} found`;
      return { holds: false, problem: 'cut', reason };
    }
    return { holds: true, mark: { sequence: chain.sequence, hash: chain.hash } };
  } catch (error) {
    if (!(error instanceof CasError)) throw error;
    return { holds: false, problem: 'broken', reason: error.message };
  }
}

async function firstEvent(
  path: string,
): Promise<v.InferOutput<typeof signedAuditRecord>['event'] | undefined> {
  const stream = createReadStream(path, { end: 262_144 });
  try {
    for await (const line of createInterface({ input: stream })) {
      const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), signedAuditRecord), line);
      return parsed.success ? parsed.output.event : undefined;
    }
    return undefined;
  } finally {
    stream.destroy();
  }
}

import { CasError } from '../errors.ts';
import { endorseAuditKey } from '../audit/endorsement.ts';
import { fromHex } from '@ensconce/base/bytes';
import { holdsRight, notFound } from '../sessions/session-access.ts';
import type { Handlers } from './dispatch.ts';
import type { HandlerContext } from './handlers.ts';
import { exporterOf } from './own-evidence.ts';

type AuditRoutes =
  | 'readCheckpoint'
  | 'proveConsistency'
  | 'proveInclusion'
  | 'readAuditRecords'
  | 'readSessionRecords'
  | 'attestAuditKey';

/** What answers the routes about the audit log. Proofs are hashes over signed lines: they tell nobody what he does not know already. */
export function auditHandlers(context: HandlerContext): Pick<Handlers, AuditRoutes> {
  const { state, sessions } = context;
  const { audit, notes, proofs } = state;
  const endorsement = endorseAuditKey(state.identity, state.auditKey);
  return {
    readCheckpoint: async () => ({
      status: 200,
      body: { checkpoint: await notes.checkpoint(audit.head), endorsement },
    }),
    proveConsistency: async ({ query: { first, size } }) => ({
      status: 200,
      body: { proof: base64(await proofs.consistency(first, size)) },
    }),
    proveInclusion: async ({ query: { sequence, size } }) => ({
      status: 200,
      body: { proof: base64(await proofs.inclusion(sequence, size)) },
    }),
    readAuditRecords: async ({ query: { from, to } }, { identity }) => {
      if (identity.keyHash === undefined || !context.auditors.has(identity.keyHash)) {
        throw new CasError('CAS_AUDIT_FORBIDDEN', 'audit log: this identity may not read the whole of it', {
          hint: 'ask whoever runs CAS to name your key hash as an auditor; who may read a session may read all records that concern it',
        });
      }
      return { status: 200, body: { records: await proofs.range(from, to ?? Number.MAX_SAFE_INTEGER) } };
    },
    readSessionRecords: async ({ parameters: { name }, query: { before, size } }, { identity }) => {
      // Of a deleted session too: what it released stays released.
      const present = sessions.findTaken(name);
      if (present === undefined || !holdsRight(present, 'read', identity).allowed) throw notFound(name);
      if (before !== undefined && size !== undefined)
        return { status: 200, body: { records: await proofs.ofSession(name, before, size) } };
      if (before !== undefined || size !== undefined)
        throw new CasError('CAS_REQUEST_INVALID', 'query: before and size together expected, or neither');
      // Nothing is awaited between the two, so count and tree are of one moment.
      const head = audit.head;
      const count = audit.sessionHead(name);
      const statement = await notes.statement(head, { session: name, ...count });
      const records = count.count === 0 ? [] : await proofs.ofSession(name, count.last, head.size);
      return { status: 200, body: { statement, records } };
    },
    attestAuditKey: async ({ body }, { incoming }) => ({
      status: 200,
      body: await context.ownEvidence(fromHex(body.nonce, 32), exporterOf(incoming), 'audit-key'),
    }),
  };
}

const base64 = (hashes: readonly Uint8Array[]): string[] =>
  hashes.map((hash) => Buffer.from(hash).toString('base64'));

import { createPublicKey } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { openApi } from '@ensconce/api/openapi';
import type { SessionDeleted, SessionWritten, VersionAnswer } from '@ensconce/api/schema';
import { fromHex } from '@ensconce/base/bytes';
import { Approvals } from '../approvals/approvals.ts';
import { serveExports } from '../federation/serve-exports.ts';
import { authorBySignatures, verifiedSigners } from '../sessions/signing-author.ts';
import { readCarried } from '../sessions/carried-session.ts';
import { CasError } from '../errors.ts';
import { authorOf } from '../sessions/author.ts';
import { deleteSession, type DeleteRequest } from '../sessions/delete-session.ts';
import { readHistory } from '../sessions/history.ts';
import { listSessions } from '../sessions/list-sessions.ts';
import { readSession } from '../sessions/read-session.ts';
import { readPublicValue, readPublicValues } from '../sessions/read-value.ts';
import type { Bindings } from '../sessions/bindings.ts';
import type { SecretValues } from '../sessions/secret-values.ts';
import type { StoredVersion } from '../sessions/session-record.ts';
import { writeSession, type WriteContext, type WriteRequest } from '../sessions/write-session.ts';
import type { Health } from '../observe/health.ts';
import { Gate } from '../state/gate.ts';
import type { Serial } from '../state/serial.ts';
import { auditHandlers } from './audit-handlers.ts';
import type { AttestedClients } from './attested-clients.ts';
import type { Caller, Handlers } from './dispatch.ts';
import { exporterOf, type OwnEvidence } from './own-evidence.ts';

export interface HandlerContext extends WriteContext {
  readonly writes: Serial;
  readonly values: SecretValues;
  readonly bindings: Bindings;
  readonly ownEvidence: OwnEvidence;
  readonly clients: AttestedClients;
  readonly version: () => VersionAnswer;
  /** Key hashes that may read the whole audit log. */
  readonly auditors: ReadonlySet<string>;
  readonly health: () => Health;
}

/** What answers the routes of port 8081. */
export function handlers(context: HandlerContext): Handlers {
  const { state, sessions } = context;
  const description = openApi();
  const approvals = new Approvals(context);
  // Other CASes may have to wait for what this one imports itself: few do at once.
  const exports = new Gate({ running: 64, waiting: 256 });
  const encryptionKey = createPublicKey(state.encryptionKey).export({ type: 'spki', format: 'pem' });
  const write = async (
    request: WriteRequest,
  ): Promise<{ status: 200 | 201; body: SessionWritten; etag: string }> => {
    const { version, created } = await context.writes.run(() => writeSession(context, request));
    return { status: created ? 201 : 200, body: written(version), etag: version.hash };
  };
  const remove = async (
    request: DeleteRequest,
  ): Promise<{ status: 200; body: SessionDeleted; etag: string }> => {
    const { name, hash, predecessor } = await context.writes.run(() => deleteSession(context, request));
    return { status: 200, body: { name, hash, predecessor: predecessor ?? request.ifMatch }, etag: hash };
  };
  const post = (
    { body, headers }: { readonly body: string; readonly headers: Matching },
    { identity }: Caller,
  ): ReturnType<typeof write> =>
    write({ text: body, author: authorOf(identity), ifMatch: hashIn(headers['if-match']) });
  return {
    readLive: () => ({ status: 200, body: { status: 'live' } }),
    readReady: () => {
      const { obstacles } = context.health();
      if (obstacles.length === 0) return { status: 200, body: { status: 'ready' } };
      throw new CasError('CAS_NOT_READY', `CAS: ready expected, ${obstacles.join(', ')} stands in the way`);
    },
    readVersion: () => ({ status: 200, body: context.version() }),
    attestCas: async ({ body }, { incoming }) => ({
      status: 200,
      body: await context.ownEvidence(fromHex(body.nonce, 32), exporterOf(incoming), 'identity'),
    }),
    readClientChallenge: (_, { incoming }) => ({
      status: 200,
      body: context.clients.challenge(incoming.socket as TLSSocket),
    }),
    attestClient: async ({ body }, { incoming, identity }) => ({
      status: 200,
      body: await context.clients.attest(incoming.socket as TLSSocket, identity, body),
    }),
    readOpenApi: () => ({ status: 200, body: description }),
    postSession: post,
    postSessionOld: post,
    putSession: ({ parameters, headers, body }, { identity }) =>
      write({
        text: body,
        author: authorOf(identity),
        name: parameters.name,
        ifMatch: hashIn(headers['if-match']),
        idempotent: true,
      }),
    readSession: async ({ parameters, query }, { identity }) => {
      const body = await readSession(state, sessions, {
        name: parameters.name,
        hash: query.hash,
        secretsShown: query.secrets === 'shown',
        identity,
      });
      return { status: 200, body, etag: body.hash };
    },
    ...auditHandlers(context),
    postSignedSession: ({ body, headers }) =>
      write({
        text: body.session,
        author: authorBySignatures(context, body.session, body.signatures),
        ifMatch: hashIn(headers['if-match']),
      }),
    postSignedDeletion: async ({ body: { name, id, hash, signatures } }) => {
      const signers = verifiedSigners(context, { name, id, deletes: hash }, signatures);
      return remove({ name, id, ifMatch: hash, rights: { signers } });
    },
    putEncryptedSession: async ({ body, headers }, { identity }) => {
      const { text, signatures } = await readCarried(body, state.encryptionKey);
      const author =
        signatures === undefined ? authorOf(identity) : authorBySignatures(context, text, signatures);
      return write({ text, author, ifMatch: hashIn(headers['if-match']) });
    },
    readEncryptionKey: () => ({ status: 200, body: { key: encryptionKey } }),
    proposeSession: async ({ body }, { identity }) => ({
      status: 202,
      body: await context.writes.run(() => approvals.propose({ ...body, identity })),
    }),
    proposeDeletion: async ({ parameters, body }, { identity }) => ({
      status: 202,
      body: await context.writes.run(() => approvals.proposeDeletion({ ...parameters, ...body, identity })),
    }),
    readApprovals: async ({ parameters }, { identity }) => ({
      status: 200,
      body: { updates: [...(await approvals.view({ ...parameters, identity }))] },
    }),
    approveSession: async ({ parameters, body }) => ({
      status: 200,
      body: await context.writes.run(() => approvals.approve({ ...parameters, ...body })),
    }),
    vetoSession: async ({ parameters, body }) => ({
      status: 200,
      body: await context.writes.run(() => approvals.veto({ ...parameters, ...body })),
    }),
    withdrawSession: async ({ parameters, query }, { identity }) => ({
      status: 200,
      body: {
        updates: [
          ...(await context.writes.run(() => approvals.withdraw({ ...parameters, ...query, identity }))),
        ],
      },
    }),
    deleteSession: async ({ parameters: { name }, headers }, { identity }) => {
      const ifMatch = hashIn(headers['if-match']);
      if (ifMatch === undefined) {
        throw new CasError(
          'CAS_PRECONDITION_REQUIRED',
          'delete: If-Match with the hash of the version expected',
          {
            hint: 'read the session first: what is deleted should be what you saw',
          },
        );
      }
      return remove({ name, ifMatch, rights: identity });
    },
    listSessions: async ({ query }, { identity }) => ({
      status: 200,
      body: await listSessions(sessions, {
        namespace: query.namespace,
        limit: Number(query.limit ?? defaultPage),
        cursor: query.cursor,
        rights: identity,
        owners: context.owners,
      }),
    }),
    readHistory: async ({ parameters: { name }, query }, { identity }) => ({
      status: 200,
      body: await readHistory(sessions, {
        name,
        limit: Number(query.limit ?? defaultPage),
        cursor: query.cursor,
        rights: identity,
      }),
    }),
    readValue: async ({ parameters }, { identity }) => ({
      status: 200,
      body: await readPublicValue(context, { ...parameters, identity }),
    }),
    readValues: async ({ parameters }, { identity }) => ({
      status: 200,
      body: await readPublicValues(context, { ...parameters, identity }),
    }),
    readExports: async ({ body }, { identity }) => ({
      status: 200,
      body: await exports.run(() => serveExports(context, identity, body)),
    }),
  };
}

const defaultPage = 100;

interface Matching {
  readonly 'if-match'?: string | undefined;
}

/** The hash in an entity tag, whose form the route has checked. */
const hashIn = (tag: string | undefined): string | undefined => tag?.slice(1, -1);

const written = (version: StoredVersion): SessionWritten => ({
  name: version.name,
  hash: version.hash,
  predecessor: version.predecessor,
});

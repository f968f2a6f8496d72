import { createPublicKey } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { openApi } from '@ensconce/api/openapi';
import type { SessionWritten, VersionAnswer } from '@ensconce/api/schema';
import { fromHex } from '@ensconce/base/bytes';
import { exporterLabel, exporterSize } from '@ensconce/wire/binding';
import { Approvals } from '../approvals/approvals.ts';
import { serveExports } from '../federation/serve-exports.ts';
import { readCarried } from '../sessions/carried-session.ts';
import { readSession } from '../sessions/read-session.ts';
import { readPublicValue, readPublicValues } from '../sessions/read-value.ts';
import type { SecretValues } from '../sessions/secret-values.ts';
import type { StoredVersion } from '../sessions/session-record.ts';
import { writeSession, type WriteContext, type WriteRequest } from '../sessions/write-session.ts';
import { Gate } from '../state/gate.ts';
import type { Serial } from '../state/serial.ts';
import type { Caller, Handlers } from './dispatch.ts';
import type { OwnEvidence } from './own-evidence.ts';

export interface HandlerContext extends WriteContext {
  readonly writes: Serial;
  readonly values: SecretValues;
  readonly ownEvidence: OwnEvidence;
  readonly version: () => VersionAnswer;
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
    const version = await context.writes.run(() => writeSession(context, request));
    return {
      status: version.predecessor === null ? 201 : 200,
      body: written(version),
      etag: version.hash,
    };
  };
  const post = ({ body }: { readonly body: string }, { identity }: Caller): ReturnType<typeof write> =>
    write({ text: body, identity });
  return {
    readVersion: () => ({ status: 200, body: context.version() }),
    attestCas: async ({ body }, { incoming }) => {
      const socket = incoming.socket as TLSSocket;
      const exporter = socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0));
      return { status: 200, body: await context.ownEvidence(fromHex(body.nonce, 32), exporter) };
    },
    readOpenApi: () => ({ status: 200, body: description }),
    postSession: post,
    postSessionOld: post,
    putSession: ({ parameters, body }, { identity }) =>
      write({ text: body, identity, name: parameters.name }),
    readSession: async ({ parameters, query }, { identity }) => {
      const body = await readSession(state, sessions, {
        name: parameters.name,
        hash: query.hash,
        secretsShown: query.secrets === 'shown',
        identity,
      });
      return { status: 200, body, etag: body.hash };
    },
    postSignedSession: ({ body }, { identity }) =>
      write({ text: body.session, identity, signatures: body.signatures }),
    putEncryptedSession: async ({ body }, { identity }) =>
      write({ ...(await readCarried(body, state.encryptionKey)), identity }),
    readEncryptionKey: () => ({ status: 200, body: { key: encryptionKey } }),
    proposeSession: async ({ body }, { identity }) => ({
      status: 202,
      body: await context.writes.run(() => approvals.propose({ ...body, identity })),
    }),
    readApprovals: ({ parameters }, { identity }) => ({
      status: 200,
      body: { updates: [...approvals.view({ ...parameters, identity })] },
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

const written = (version: StoredVersion): SessionWritten => ({
  name: version.name,
  hash: version.hash,
  predecessor: version.predecessor,
});

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { generateSecrets } from '@ensconce/secrets/generate';
import { secretLookup } from '@ensconce/secrets/render';
import type { SinkSettings } from '../src/audit/sink-settings.ts';

/** What a sink does with what it is sent: takes it, fails after or before taking it, never answers, or lets the connection fall. */
export type SinkMood = 'takes' | 'takes-and-fails' | 'fails' | 'hangs' | 'drops';

/** A sink of audit records over real HTTPS; as a witness it keeps the newest checkpoint. */
export interface SinkUnderTest {
  readonly settings: SinkSettings;
  /** Lines by number; the same line may have come more than once. */
  readonly lines: Map<number, string>;
  /** Lines that came again with other contents. */
  readonly conflicts: string[];
  readonly batches: number[];
  checkpoint: string | undefined;
  mood: SinkMood;
}

async function serverCertificate(): Promise<{
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}> {
  const session = parseSessionOrThrow(`name: sink
version: "0.3.12"
secrets:
  - {name: key, kind: private-key}
  - {name: ca_key, kind: private-key}
  - {name: ca, kind: x509-ca, private_key: ca_key, common_name: sink-ca}
  - {name: cert, kind: x509, private_key: key, issuer: ca, common_name: sink, endpoint: server, san: ["dns:localhost", "ip:127.0.0.1"]}
`);
  const state = await generateSecrets(session, { random: randomBytes, now: new Date(), imported: {} });
  const lookup = secretLookup(session, state);
  const pem = (name: string): string => Buffer.from(lookup({ name, format: '' }) ?? []).toString();
  return { key: pem('key'), cert: pem('cert'), ca: pem('ca') };
}

export async function sinkUnderTest(t: TestContext, witness: boolean): Promise<SinkUnderTest> {
  const { key, cert, ca } = await serverCertificate();
  const server = createServer(
    { key, cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      void answer(sink, request, response);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const sink: SinkUnderTest = {
    settings: { url: `https://127.0.0.1:${port}/audit`, serverCa: ca, witness, timeout: 500 },
    lines: new Map(),
    conflicts: [],
    batches: [],
    checkpoint: undefined,
    mood: 'takes',
  };
  return sink;
}

async function answer(
  sink: SinkUnderTest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  if (sink.mood === 'hangs') return;
  if (sink.mood === 'drops') {
    request.socket.destroy();
    return;
  }
  if (sink.mood === 'fails') {
    response.writeHead(503).end();
    return;
  }
  if (request.method === 'GET') {
    response.writeHead(sink.checkpoint === undefined ? 404 : 200).end(sink.checkpoint);
    return;
  }
  const first = Number(request.headers['ensconce-audit-first']);
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
  sink.batches.push(first);
  for (const [i, line] of lines.entries()) {
    const before = sink.lines.get(first + i);
    if (before !== undefined && before !== line) sink.conflicts.push(line);
    sink.lines.set(first + i, line);
  }
  if (sink.settings.witness) {
    const checkpoint = request.headers['ensconce-audit-checkpoint'];
    sink.checkpoint = Buffer.from(String(checkpoint), 'base64').toString();
  }
  response.writeHead(sink.mood === 'takes-and-fails' ? 500 : 204).end();
}

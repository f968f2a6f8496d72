import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { causeChain, hintOf } from '@ensconce/base/errors';
import type { Json } from '@ensconce/base/json';
import { encodeFrame, FrameConnection } from '@ensconce/wire/frames';
import { lasFrameLimit } from '@ensconce/wire/las';
import { requestEvidence } from './evidence.ts';

const reportData = new Uint8Array(64).fill(0xab);

async function server(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-las-client-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'las.sock');
  const sockets = new Set<Socket>();
  const listening = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    serve(socket);
  }).listen(path);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listening.close();
  });
  await once(listening, 'listening');
  return path;
}

const answering = (answer: Json) => (socket: Socket) => void socket.write(encodeFrame(answer));

void test('a request is what docs/protocol/las.md says, and the answer is decoded', async (t) => {
  let asked: unknown;
  const socket = await server(t, (peer) => {
    void (async () => {
      const frames = new FrameConnection(peer, 'client', lasFrameLimit);
      asked = await frames.receive();
      frames.send({ type: 'evidence', format: 'sgx', evidence: 'cXVvdGU=', description: 'e30=' });
    })();
  });
  const evidence = await requestEvidence({ socket, timeout: 5000 }, reportData);
  assert.deepEqual(asked, { version: 1, type: 'evidence', reportData: 'ab'.repeat(64) });
  assert.deepEqual(evidence, {
    format: 'sgx',
    evidence: Buffer.from('quote'),
    description: Buffer.from('{}'),
  });
});

void test('a refusal is told with its code, reasons and hint, bounded', async (t) => {
  const socket = await server(
    t,
    answering({ type: 'refused', msg: ['a', 'b'.repeat(100_000)], code: 'LAS_NOT_MEASURABLE', hint: 'do' }),
  );
  await assert.rejects(requestEvidence({ socket, timeout: 5000 }, reportData), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, 'LAS_REFUSED');
    assert.match(error.message, /LAS_NOT_MEASURABLE/);
    assert.match(causeChain(error)[1] ?? '', /^a: b/);
    assert.ok(causeChain(error).join('').length < 3000);
    assert.equal(hintOf(error), 'do');
    return true;
  });
});

void test('an answer of another form is refused', async (t) => {
  const evidence = { type: 'evidence', format: 'sgx', evidence: 'cXVvdGU=' };
  for (const answer of [null, {}, { ...evidence, extra: 1 }, { ...evidence, evidence: '*' }]) {
    const socket = await server(t, answering(answer));
    await assert.rejects(requestEvidence({ socket, timeout: 5000 }, reportData), { code: 'LAS_ANSWER' });
  }
});

void test('no socket, no answer and a closed connection say so', async (t) => {
  const absent = await server(t, () => undefined);
  for (const socket of [
    `${absent}.absent`,
    await server(t, (peer) => void peer.destroy()),
    await server(t, (peer) => void peer.end(Buffer.from([0, 0, 0]))),
    await server(t, () => undefined),
  ]) {
    await assert.rejects(requestEvidence({ socket, timeout: 100 }, reportData), { code: 'LAS_UNREACHABLE' });
  }
});

void test('report data of another length is the mistake of the caller', async () => {
  await assert.rejects(requestEvidence({ socket: '/nowhere', timeout: 1 }, new Uint8Array(63)), RangeError);
});

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { requestEvidence } from '@ensconce/las-client/evidence';
import { encodeFrame, FrameConnection } from '@ensconce/wire/frames';
import { lasFrameLimit } from '@ensconce/wire/las';
import { peerPid } from './peer.ts';
import { startLas, type Las, type LasOptions } from './server.ts';

const reportData = new Uint8Array(64).fill(5);
const request = { version: 1, type: 'evidence', reportData: Buffer.from(reportData).toString('hex') };

function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-las-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'las.sock');
}

async function running(t: TestContext, options: Partial<LasOptions> = {}): Promise<Las & { log: string[] }> {
  const log: string[] = [];
  const las = await startLas({
    socketPath: socketPath(t),
    makeQuote: () => Buffer.from('quote'),
    log: (message) => log.push(message),
    ...options,
  });
  t.after(() => las.close());
  return { ...las, log };
}

/** What the LAS answers to raw bytes. */
async function answerTo(path: string, bytes: Uint8Array): Promise<unknown> {
  const socket = connect(path);
  socket.write(bytes);
  return new FrameConnection(socket, 'LAS', lasFrameLimit).receive(10_000);
}

void test('this very process, which is no runtime, is refused with the reason', async (t) => {
  const las = await running(t);
  await assert.rejects(requestEvidence({ socket: las.socketPath, timeout: 10_000 }, reportData), {
    code: 'LAS_REFUSED',
    message: /LAS_NOT_MEASURABLE/,
  });
  assert.match(las.log.join('\n'), new RegExp(`no evidence for process ${process.pid}`));
});

void test('the peer is the process that connected', async (t) => {
  const path = socketPath(t);
  const server = createServer().listen(path);
  t.after(() => server.close());
  await once(server, 'listening');
  const child = spawn(
    process.execPath,
    ['-e', 'require("node:net").connect(process.argv[1]); setTimeout(() => {}, 1e6)', path],
    { stdio: 'inherit' },
  );
  t.after(() => child.kill('SIGKILL'));
  const [socket] = (await once(server, 'connection')) as [Socket];
  assert.equal(peerPid(socket), child.pid);
  socket.destroy();
  assert.throws(() => peerPid(socket), { code: 'LAS_PEER' });
});

void test('the socket is open to every user, and gone when the LAS ends', async (t) => {
  const las = await running(t);
  assert.equal(statSync(las.socketPath).mode & 0o777, 0o666);
  await las.close();
  assert.equal(existsSync(las.socketPath), false);
});

void test('a second LAS on the same socket is refused, and the first goes on', async (t) => {
  const las = await running(t);
  await assert.rejects(running(t, { socketPath: las.socketPath }), {
    code: 'LAS_SOCKET',
    message: /another LAS listens there/,
  });
  await assert.rejects(requestEvidence({ socket: las.socketPath, timeout: 10_000 }, reportData), {
    code: 'LAS_REFUSED',
  });
});

void test('a socket file left over from a killed LAS is replaced', async (t) => {
  const path = socketPath(t);
  const script =
    'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  await promisify(execFile)(process.execPath, ['-e', script, path]).catch(() => undefined);
  assert.equal(statSync(path).isSocket(), true);
  const las = await running(t, { socketPath: path });
  assert.equal(las.socketPath, path);
});

void test('another file in the place of the socket is never removed', async (t) => {
  const path = socketPath(t);
  writeFileSync(path, 'mine');
  await assert.rejects(running(t, { socketPath: path }), { code: 'LAS_SOCKET' });
  assert.equal(statSync(path).isFile(), true);
});

void test('a place that cannot hold a socket is an error of ours', async (t) => {
  const path = socketPath(t);
  writeFileSync(path, '');
  await assert.rejects(running(t, { socketPath: join(path, 'las.sock') }), { code: 'LAS_SOCKET' });
  await assert.rejects(running(t, { socketPath: join(`${path}-${'x'.repeat(200)}`) }), {
    code: 'LAS_SOCKET',
  });
});

void test('requests that are too long, garbage or of another form are refused', async (t) => {
  const las = await running(t);
  const huge = Buffer.alloc(4);
  huge.writeUInt32BE(0xffff_ffff);
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['JSON_SYNTAX', Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from('???')])],
    ['LAS_REQUEST', encodeFrame({ ...request, pid: 1 })],
    ['LAS_REQUEST', encodeFrame({ ...request, reportData: '00' })],
    ['LAS_REQUEST', encodeFrame(null)],
  ];
  for (const [code, bytes] of cases) {
    const answer = (await answerTo(las.socketPath, bytes).catch((error: unknown) => error)) as {
      code: string;
    };
    assert.ok(answer.code === code || answer.code === 'FRAME_CLOSED', answer.code);
  }
  await assert.rejects(answerTo(las.socketPath, huge), { code: 'FRAME_CLOSED' });
  assert.match(las.log.join('\n'), /at most 262144 bytes expected, 4294967295 found/);
});

void test('a client that says nothing, or leaves, costs nothing for long', async (t) => {
  const las = await running(t, { timeout: 50 });
  const silent = connect(las.socketPath);
  const leaving = connect(las.socketPath);
  leaving.on('connect', () => leaving.end(Buffer.from([0, 0])));
  silent.resume();
  await Promise.all([once(silent, 'close'), once(leaving.resume(), 'close')]);
  assert.match(las.log.join('\n'), /within 50 ms expected/);
});

void test('a client that never closes its side loses the connection when it is answered', async (t) => {
  const las = await running(t);
  const client = connect({ path: las.socketPath, allowHalfOpen: true });
  client.write(encodeFrame(request));
  await new FrameConnection(client, 'LAS', lasFrameLimit).receive(10_000);
  const before = performance.now();
  await las.close();
  assert.ok(performance.now() - before < 1000);
  client.destroy();
});

void test('of 300 connections at once each is answered or closed, and the LAS goes on', async (t) => {
  const las = await running(t);
  const asked = Array.from({ length: 300 }, () =>
    requestEvidence({ socket: las.socketPath, timeout: 30_000 }, reportData).then(
      () => 'evidence',
      (error: { code: string }) => error.code,
    ),
  );
  const answers = await Promise.all(asked);
  for (const answer of answers) assert.match(answer, /^LAS_(?:REFUSED|UNREACHABLE)$/);
  assert.ok(answers.filter((answer) => answer === 'LAS_REFUSED').length >= 200);
  await assert.rejects(requestEvidence({ socket: las.socketPath, timeout: 10_000 }, reportData), {
    code: 'LAS_REFUSED',
  });
});

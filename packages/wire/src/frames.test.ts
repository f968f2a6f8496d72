import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeFrame, FrameConnection, type FrameSocket } from './frames.ts';

class TestSocket extends EventEmitter implements FrameSocket {
  readonly written: Uint8Array[] = [];
  destroyed = false;

  write(data: Uint8Array): boolean {
    this.written.push(data);
    return true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

function connection(limit: number): { socket: TestSocket; frames: FrameConnection } {
  const socket = new TestSocket();
  return { socket, frames: new FrameConnection(socket, 'test', limit) };
}

const header = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

void test('a frame is its length and its JSON', () => {
  assert.deepEqual(encodeFrame({ ü: 1 }), Buffer.concat([header(8), Buffer.from('{"ü":1}')]));
});

void test('frames arrive whole and in order, however the stream is cut', async () => {
  const values = fc.array(fc.jsonValue({ maxDepth: 2 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(values, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), async (sent, cuts) => {
      const bytes = Buffer.concat(sent.map((value) => encodeFrame(value as null)));
      const { socket, frames } = connection(10_000);
      const received: unknown[] = [];
      const reading = (async () => {
        for (const _ of sent) received.push(await frames.receive());
      })();
      let at = 0;
      for (const cut of cuts) {
        if (at >= bytes.length) break;
        // A socket may use the memory of a chunk again.
        const chunk = Buffer.from(bytes.subarray(at, at + cut));
        socket.emit('data', chunk);
        chunk.fill(0);
        at += cut;
        if (at % 2 === 0) await Promise.resolve();
      }
      await reading;
      assert.equal(JSON.stringify(received), JSON.stringify(sent));
    }),
    { numRuns: 50 },
  );
});

void test('frames that came before the other side closed are still read', async () => {
  const { socket, frames } = connection(100);
  socket.emit('data', Buffer.concat([encodeFrame(1), encodeFrame(2)]));
  socket.emit('close');
  assert.equal(await frames.receive(), 1);
  assert.equal(await frames.receive(), 2);
  await assert.rejects(frames.receive(), { code: 'FRAME_CLOSED' });
  assert.throws(() => frames.send(3), { code: 'FRAME_CLOSED' });
});

void test('a frame beyond the limit ends the connection as soon as it is announced', async () => {
  const { socket, frames } = connection(10);
  const waiting = frames.receive();
  socket.emit('data', header(11));
  await assert.rejects(waiting, { code: 'FRAME_SIZE', message: /at most 10 bytes expected, 11 found/ });
  assert.equal(socket.destroyed, true);
});

void test('the second of two frames is held to the limit too', async () => {
  const { socket, frames } = connection(10);
  socket.emit('data', Buffer.concat([encodeFrame(1), header(0xffff_ffff)]));
  assert.equal(await frames.receive(), 1);
  await assert.rejects(frames.receive(), { code: 'FRAME_SIZE' });
});

void test('what nobody reads is bounded', async () => {
  const { socket, frames } = connection(100);
  for (let i = 0; i < 40 && !socket.destroyed; i++) socket.emit('data', encodeFrame('ten bytes!'));
  assert.equal(socket.destroyed, true);
  await assert.rejects(frames.receive(), { code: 'FRAME_SIZE' });
});

void test('a frame of the very limit, byte by byte, costs no more than its bytes', async () => {
  const limit = 200_000;
  const { socket, frames } = connection(limit);
  const text = 'x'.repeat(limit - 2);
  const waiting = frames.receive();
  const before = process.memoryUsage();
  for (const byte of encodeFrame(text)) socket.emit('data', Uint8Array.of(byte));
  const after = process.memoryUsage();
  assert.equal(await waiting, text);
  assert.ok(after.arrayBuffers - before.arrayBuffers < 64 * limit);
});

void test('an announced length alone takes no memory', () => {
  const { socket, frames } = connection(1024 * 1024 * 1024);
  const waiting = frames.receive(60_000);
  waiting.catch(() => undefined);
  const before = process.memoryUsage().arrayBuffers;
  socket.emit('data', header(1024 * 1024 * 1024));
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  socket.emit('close');
});

void test('a body that is no JSON ends the connection', async () => {
  for (const body of ['', '{', 'nonsense', '\xff']) {
    const { socket, frames } = connection(100);
    const waiting = frames.receive();
    socket.emit(
      'data',
      Buffer.concat([header(Buffer.byteLength(body, 'latin1')), Buffer.from(body, 'latin1')]),
    );
    await assert.rejects(waiting, { code: 'JSON_SYNTAX' });
    assert.equal(socket.destroyed, true);
    await assert.rejects(frames.receive(), { code: 'JSON_SYNTAX' });
  }
});

void test('silence ends with a time-out, a failure with its cause', async () => {
  const silent = connection(100);
  await assert.rejects(silent.frames.receive(5), { code: 'FRAME_TIMEOUT', message: /within 5 ms/ });
  assert.equal(silent.socket.destroyed, true);
  const failing = connection(100);
  const waiting = failing.frames.receive(60_000);
  const cause = new Error('ECONNRESET');
  failing.socket.emit('error', cause);
  await assert.rejects(waiting, (error: Error) => error.cause === cause);
});

void test('two readers at once are the mistake of the caller', async () => {
  const { socket, frames } = connection(100);
  const waiting = frames.receive();
  assert.throws(() => void frames.receive(), RangeError);
  socket.emit('data', encodeFrame('one'));
  assert.equal(await waiting, 'one');
});

void test('whatever the bytes, a reader gets a value or an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 10 }), async (chunks) => {
      const { socket, frames } = connection(20);
      for (const chunk of chunks) socket.emit('data', chunk);
      socket.emit('close');
      for (;;) {
        try {
          await frames.receive();
        } catch (error) {
          assert.match((error as Error).name, /^(?:FrameError|JsonError)$/);
          return;
        }
      }
    }),
  );
});

void test('the end of a connection is no error to who follows it, and one to who must have an answer', async () => {
  const { socket, frames } = connection(100);
  const frame = frames.next();
  socket.emit('data', encodeFrame({ type: 'last' }));
  assert.deepEqual(await frame, { type: 'last' });
  const end = frames.next();
  socket.emit('close');
  assert.equal(await end, undefined);
  assert.equal(await frames.next(), undefined);
  await assert.rejects(frames.receive(), { code: 'FRAME_CLOSED' });
  assert.throws(() => frames.send({}), { code: 'FRAME_CLOSED' });
});

void test('what came before the end is still read', async () => {
  const { socket, frames } = connection(100);
  socket.emit('data', encodeFrame(1));
  socket.emit('close');
  assert.equal(await frames.next(), 1);
  assert.equal(await frames.next(), undefined);
});

void test('a connection that failed is an error to who follows it', async () => {
  const { socket, frames } = connection(100);
  socket.emit('error', new Error('reset'));
  socket.emit('close');
  await assert.rejects(frames.next(), { code: 'FRAME_CLOSED' });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { putU64 } from './attributes.ts';
import { Dispatcher, silent } from './dispatch.ts';
import { errno, FuseErrno } from './errno.ts';
import { FuseError } from './errors.ts';
import type { Filesystem } from './filesystem.ts';
import { negotiate } from './negotiate.ts';
import { headerIn, opcode } from './protocol.ts';
import { Request } from './request.ts';

const opcodes = Object.values(opcode);

/** A file system in which every operation succeeds, and which looks at all that it is handed. */
const agreeable: Filesystem = new Proxy({} as Filesystem, {
  get:
    () =>
    (...args: unknown[]) => {
      for (const arg of args) {
        if (arg instanceof Uint8Array) assert.ok(arg.byteOffset + arg.length <= arg.buffer.byteLength);
        if (typeof arg === 'object' && arg !== null && 'node' in arg && 'validity' in arg) arg.node = 2;
      }
      return 0;
    },
});

function requestOf(code: number, body: Uint8Array, length?: number): [Request, number] {
  const buffer = new Uint8Array(4096);
  const size = headerIn + body.length;
  const view = new DataView(buffer.buffer);
  view.setUint32(0, length ?? size, true);
  view.setUint32(4, code, true);
  putU64(view, 8, 77);
  putU64(view, 16, 1);
  buffer.set(body, headerIn);
  return [new Request(buffer), size];
}

void test('whatever the device delivers, only our own errors come of it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...opcodes, 4, 99, 4096),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(3),
      fc.boolean(),
      (code, body, kind, extended) => {
        const [request, size] = requestOf(code, body, kind === 0 ? body.length : undefined);
        const log: string[] = [];
        const dispatcher = new Dispatcher(agreeable, request, (line) => log.push(line));
        dispatcher.extendedSetxattr = extended;
        try {
          request.parse(kind === 1 ? Math.max(0, size - 50) : size);
          if (code === opcode.INIT) negotiate(request, {}, dispatcher.view, 16);
        } catch (error) {
          assert.ok(error instanceof FuseError || error instanceof FuseErrno, String(error));
          return;
        }
        const result = dispatcher.handle();
        assert.ok(result === silent || (result > -4096 && result < dispatcher.reply.length));
        for (const line of log) assert.match(line, /expected/);
      },
    ),
    { numRuns: 5000 },
  );
});

void test('requests that are too short are refused with EINVAL, unknown ones with ENOSYS', () => {
  const handle = (code: number, body: Uint8Array): number => {
    const [request, size] = requestOf(code, body);
    request.parse(size);
    return new Dispatcher(agreeable, request, () => undefined).handle();
  };
  assert.equal(handle(opcode.READ, new Uint8Array(10)), -errno.EINVAL);
  assert.equal(handle(opcode.LOOKUP, new Uint8Array([65, 66])), -errno.EINVAL);
  assert.equal(handle(opcode.LOOKUP, new Uint8Array(257).fill(65, 0, 256)), -errno.ENAMETOOLONG);
  const write = new Uint8Array(60);
  new DataView(write.buffer).setUint32(16, 21, true);
  assert.equal(handle(opcode.WRITE, write), -errno.EINVAL);
  const forget = new Uint8Array(8);
  new DataView(forget.buffer).setUint32(0, 0xffff_ffff, true);
  assert.equal(handle(opcode.BATCH_FORGET, forget), silent);
  assert.equal(handle(1234, new Uint8Array()), -errno.ENOSYS);
});

void test('INIT agrees on 7.45 at most, and refuses kernels older than 7.31', () => {
  const init = (major: number, minor: number): [DataView, () => ReturnType<typeof negotiate>] => {
    const body = new Uint8Array(64);
    const view = new DataView(body.buffer);
    view.setUint32(0, major, true);
    view.setUint32(4, minor, true);
    view.setUint32(8, 131_072, true);
    view.setUint32(12, 0xffff_ffff, true);
    const [request, size] = requestOf(opcode.INIT, body);
    request.parse(size);
    const reply = new DataView(new ArrayBuffer(128));
    return [reply, () => negotiate(request, { writebackCache: true }, reply, 16)];
  };
  const [reply, agree] = init(7, 60);
  assert.deepEqual(agree(), {
    minor: 45,
    writebackCache: true,
    extendedSetxattr: true,
    size: 64,
    settled: true,
  });
  assert.deepEqual([reply.getUint32(16, true), reply.getUint32(20, true)], [7, 45]);
  assert.equal(reply.getUint32(36, true), 1 << 20);
  assert.equal(reply.getUint16(44, true), 256);
  assert.equal(init(8, 0)[1]().settled, false);
  assert.throws(init(7, 30)[1], { code: 'FUSE_PROTOCOL' });
});

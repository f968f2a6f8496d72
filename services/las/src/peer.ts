import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type * as Koffi from 'koffi';
import { LasError } from './errors.ts';

const koffi: typeof Koffi = createRequire(import.meta.url)('koffi');
const getsockopt = koffi
  .load(null)
  .func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)');

/** The process at the other end of a unix socket, as the kernel recorded it at connect (unix(7), SO_PEERCRED). */
export function peerPid(socket: Socket): number {
  const solSocket = 1;
  const soPeercred = 17;
  const handle: unknown = Reflect.get(socket, '_handle');
  const descriptor: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  const credentials = Buffer.alloc(12);
  if (
    typeof descriptor !== 'number' ||
    descriptor < 0 ||
    getsockopt(descriptor, solSocket, soPeercred, credentials, [credentials.length]) !== 0
  ) {
    throw new LasError('LAS_PEER', 'peer: the credentials of a unix socket expected, none found');
  }
  const pid = credentials.readInt32LE(0);
  if (pid <= 0) {
    throw new LasError(
      'LAS_PEER',
      'peer: a process of this PID namespace or one below it expected, another found',
    );
  }
  return pid;
}

import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { causeChain, EnsconceError, hintOf } from '@ensconce/base/errors';
import { describeIssue } from '@ensconce/base/issue';
import { DigestCache } from '@ensconce/measurement/digest-cache';
import { FrameConnection } from '@ensconce/wire/frames';
import { lasFrameLimit, lasRequest, type LasAnswer } from '@ensconce/wire/las';
import { LasError } from './errors.ts';
import { measureProcess, type Measured } from './measure.ts';
import { peerPid } from './peer.ts';

/** The hardware, or what stands for it: makes evidence in SGX quote format over a measurement that it took itself. */
export type MakeQuote = (measured: Measured, reportData: Uint8Array) => Uint8Array;

export interface LasOptions {
  readonly socketPath: string;
  readonly makeQuote: MakeQuote;
  readonly log: (message: string) => void;
  /** Milliseconds within which a client must have asked. */
  readonly timeout?: number;
}

const defaultTimeout = 5000;

export interface Las {
  readonly socketPath: string;
  close(): Promise<void>;
}

const maxConnections = 256;

async function answer(socket: Socket, options: LasOptions, cache: DigestCache): Promise<void> {
  const frames = new FrameConnection(socket, 'LAS', lasFrameLimit);
  let reply: LasAnswer;
  let pid: number | undefined;
  try {
    const request = v.safeParse(lasRequest, await frames.receive(options.timeout ?? defaultTimeout));
    if (!request.success) throw new LasError('LAS_REQUEST', `request: ${describeIssue(request.issues[0])}`);
    pid = peerPid(socket);
    const measured = measureProcess(pid, cache);
    reply = {
      type: 'evidence',
      format: 'sgx',
      evidence: Buffer.from(
        options.makeQuote(measured, Uint8Array.fromHex(request.output.reportData)),
      ).toString('base64'),
      ...(measured.description ? { description: Buffer.from(measured.description).toString('base64') } : {}),
    };
    options.log(`SIMULATED evidence for process ${pid}, measurement ${measured.measurement}`);
  } catch (error) {
    const hint = hintOf(error);
    reply = {
      type: 'refused',
      msg: causeChain(error),
      code: error instanceof EnsconceError ? error.code : 'LAS_INTERNAL',
      ...(hint === undefined ? {} : { hint }),
    };
    options.log(`no evidence for process ${pid ?? 'unknown'}: ${reply.msg.join('; ')}`);
  }
  try {
    frames.send(reply);
  } catch {
    // The peer has gone; there is nobody left to answer.
  }
  // Not `end`: a peer that never closes its side would keep the connection.
  socket.destroySoon();
}

/** Whether nobody listens on a socket file: it is left over from a LAS that was killed. A busy LAS is not gone. */
async function isStale(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      probe.once('connect', () => resolve(false));
      probe.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(true);
        else if (error.code === 'EAGAIN') resolve(false);
        else reject(new LasError('LAS_SOCKET', `${path}: a socket to try expected`, { cause: error }));
      });
    });
  } finally {
    probe.destroy();
  }
}

async function removeStale(path: string): Promise<void> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket())
    throw new LasError('LAS_SOCKET', `${path}: a free name or a socket expected, another file found`);
  if (!(await isStale(path)))
    throw new LasError('LAS_SOCKET', `${path}: a free socket expected, another LAS listens there`, {
      hint: 'stop it, or name another --socket',
    });
  rmSync(path, { force: true });
}

/** Serves evidence to the processes of this node on a unix socket (docs/protocol/las.md). */
export async function startLas(options: LasOptions): Promise<Las> {
  const cache = new DigestCache();
  const open = new Set<Socket>();
  try {
    mkdirSync(dirname(options.socketPath), { recursive: true });
  } catch (cause) {
    throw new LasError('LAS_SOCKET', `${options.socketPath}: a folder for it expected`, { cause });
  }
  await removeStale(options.socketPath);
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    void answer(socket, options, cache);
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new LasError('LAS_SOCKET', `${options.socketPath}: cannot listen there`, { cause })),
    );
    server.listen(options.socketPath, resolve);
  });
  // Accepting may fail for a while (no descriptors left); that ends one connection, not the LAS.
  server.on('error', (error) => options.log(`accepting a connection failed: ${error.message}`));
  // Containers run as other users; who may have evidence is decided by what they are, not who they are.
  chmodSync(options.socketPath, 0o666);
  return {
    socketPath: options.socketPath,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

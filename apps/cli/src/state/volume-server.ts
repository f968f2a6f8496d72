import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Io } from '../io.ts';

/** Where servers of mounted volumes can be reached by whoever started them; undefined where there is no such place. */
function folderOf(io: Io): string | undefined {
  if (process.getuid?.() === 0) return '/run/ensconce';
  const own = io.environment['XDG_RUNTIME_DIR'];
  return own === undefined ? undefined : join(own, 'ensconce');
}

/** The device number of a mount names its server. */
function socketOf(folder: string, mountpoint: string): string {
  return join(folder, `volume-${statSync(mountpoint).dev}.sock`);
}

/**
 * Lets `ensconce volume umount` wait until everything is durable. Returns what tells those who wait: undefined, or why
 * it is not. Where nobody can listen, it goes without.
 */
export async function announce(
  io: Io,
  mountpoint: string,
  log: (line: string) => void,
): Promise<(failure: string | undefined) => void> {
  const folder = folderOf(io);
  if (folder === undefined) return () => undefined;
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket);
    socket.on('close', () => waiting.delete(socket)).on('error', () => undefined);
  });
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = socketOf(folder, mountpoint);
    // Left by a server that was killed: the number of a device is not given twice at a time.
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return (failure) => {
      for (const socket of waiting) socket.end(failure ?? '');
      server.close();
      rmSync(path, { force: true });
    };
  } catch (error) {
    log(`who unmounts cannot wait: ${error instanceof Error ? error.message : 'not an error was thrown'}`);
    server.close();
    return () => undefined;
  }
}

/**
 * Asks the server of a mounted volume to say when it is done. Call before unmounting; undefined where there is none to
 * ask, else what it says of its end: an empty text if everything is durable.
 */
export async function askToTell(
  io: Io,
  mountpoint: string,
): Promise<{ readonly told: Promise<string>; readonly cancel: () => void } | undefined> {
  const folder = folderOf(io);
  if (folder === undefined) return undefined;
  let path: string;
  try {
    path = socketOf(folder, mountpoint);
  } catch {
    // A mount whose server is gone.
    return undefined;
  }
  const socket = connect(path);
  const connected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  if (!connected) return undefined;
  const told = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.once('error', () => resolve('its server ended without a word'));
    socket.once('close', () => resolve(text));
  });
  return { told, cancel: () => socket.destroy() };
}

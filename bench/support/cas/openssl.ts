import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { selfSigned } from '@ensconce/identity/self-signed';
import { cpuSeconds } from './cpu.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * TLS 1.3 handshakes with certificates on both sides by the machine's own `openssl s_server`, which `openssl s_time`
 * loads for some seconds: how many a second of the server's CPU time. Undefined where there is no openssl.
 */
export async function opensslHandshakes(folder: string, seconds: number): Promise<number | undefined> {
  const { privateKey, certificate } = await selfSigned('openssl', new Date());
  const [key, cert] = [join(folder, 'openssl-key.pem'), join(folder, 'openssl-cert.pem')];
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(cert, certificate);
  const port = await freePort();
  const identity = ['-cert', cert, '-key', key];
  const server = spawn(
    'openssl',
    [
      's_server',
      '-accept',
      `127.0.0.1:${port}`,
      ...identity,
      '-tls1_3',
      '-verify',
      '1',
      '-quiet',
      '-no_ticket',
    ],
    { stdio: ['pipe', 'ignore', 'ignore'] },
  );
  let failed = false;
  server.once('error', () => (failed = true));
  await sleep(500);
  if (failed || server.pid === undefined || server.exitCode !== null) return undefined;
  const before = cpuSeconds(server.pid);
  const client = spawn(
    'openssl',
    ['s_time', '-connect', `127.0.0.1:${port}`, ...identity, '-new', '-time', String(seconds)],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let text = '';
  client.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(client, 'close');
  const cpu = cpuSeconds(server.pid) - before;
  server.kill('SIGKILL');
  const count = Number(/(\d+) connections in \d+ real seconds/.exec(text)?.[1] ?? 0);
  return count === 0 || cpu === 0 ? undefined : count / cpu;
}

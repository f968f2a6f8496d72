// A process that makes load, so that its work does not count as the server's: forked, told what to do by messages.
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { fromHex } from '@ensconce/base/bytes';
import { selfSigned } from '@ensconce/identity/self-signed';
import { measureDescription } from '@ensconce/measurement/image';
import { openSimulatedVendor, type SimulatedVendor } from '@ensconce/simulation/vendor';
import { attestationFrameLimit, attestationProtocol } from '@ensconce/wire/attestation';
import { exporterLabel, exporterSize, reportData } from '@ensconce/wire/binding';
import { FrameConnection } from '@ensconce/wire/frames';
import { description, serviceName, sessionName } from './session.ts';

/** What to load with what. `cas` is attested starts, `tls` is handshakes alone. */
export interface Load {
  readonly kind: 'cas' | 'tls';
  readonly port: number;
  /** SubjectPublicKeyInfo (DER) of CAS, base64; of no use for `tls`. */
  readonly casPublicKey: string;
  /** How many sessions starts are drawn from, uniformly. */
  readonly sessions: number;
  readonly seconds: number;
  /** Seconds at the beginning of which the latencies do not count. */
  readonly warmUp: number;
  /** Either so many at once, the next when one is done, or so many a second whatever becomes of them (Poisson). */
  readonly pace: { readonly atOnce: number } | { readonly perSecond: number };
}

/** Milliseconds of each that ended well, from the moment it was due. */
export interface LoadResult {
  readonly latencies: readonly number[];
  readonly failures: readonly string[];
  /** Milliseconds from the first to the last end. */
  readonly elapsed: number;
}

interface Keys {
  readonly key: string;
  readonly cert: string;
  readonly publicKey: Uint8Array;
}

const keys: Keys[] = [];

/** Keys and certificates are made before the clock runs; each serves one start. */
async function makeKeys(count: number): Promise<void> {
  while (keys.length < count) {
    const { privateKey, certificate } = await selfSigned('service', new Date());
    keys.push({
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate,
      publicKey: new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }),
    });
  }
}

function open(load: Load, { key, cert }: Keys): TLSSocket {
  return connect({
    host: '127.0.0.1',
    port: load.port,
    ALPNProtocols: [attestationProtocol],
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    key,
    cert,
  });
}

async function handshake(load: Load, pair: Keys): Promise<void> {
  const socket = open(load, pair);
  await once(socket, 'data');
  socket.destroy();
}

function starter(load: Load, vendor: SimulatedVendor): (pair: Keys) => Promise<void> {
  const casPublicKey = Buffer.from(load.casPublicKey, 'base64');
  const described = description(createHash('sha256').update(casPublicKey).digest('hex'));
  const measurement = fromHex(measureDescription(described));
  const mrsigner = new Uint8Array(32);
  return async (pair) => {
    const socket = open(load, pair);
    try {
      const frames = new FrameConnection(socket, 'CAS', attestationFrameLimit);
      const { nonce } = (await frames.receive()) as { nonce: string };
      const configId = `${sessionName(Math.floor(Math.random() * load.sessions))}/${serviceName}`;
      const evidence = vendor.makeSgxQuote({
        mrenclave: measurement,
        mrsigner,
        isvprodid: 0,
        isvsvn: 0,
        reportData: reportData({
          role: 'service-to-cas',
          publicKey: pair.publicKey,
          exporter: socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0)),
          nonce: fromHex(nonce),
          configId,
          casIdentity: casPublicKey,
        }),
      });
      frames.send({
        type: 'attest',
        version: 1,
        configId,
        format: 'sgx',
        evidence: Buffer.from(evidence).toString('base64'),
        description: Buffer.from(described).toString('base64'),
      });
      const answer = (await frames.receive()) as { type: string; code?: string };
      if (answer.type !== 'configured') throw new Error(`configured expected, ${answer.code} found`);
    } finally {
      socket.destroy();
    }
  };
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

async function run(load: Load, one: (pair: Keys) => Promise<void>): Promise<LoadResult> {
  const latencies: number[] = [];
  const failures: string[] = [];
  const began = performance.now();
  const deadline = began + load.seconds * 1000;
  const measured = async (due: number): Promise<void> => {
    const pair = keys.pop();
    try {
      if (pair === undefined) throw new Error('more keys made beforehand expected');
      await one(pair);
      if (due - began >= load.warmUp * 1000) latencies.push(performance.now() - due);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : 'unknown');
    }
  };
  const { pace } = load;
  if ('atOnce' in pace) {
    const worker = async (): Promise<void> => {
      while (performance.now() < deadline && keys.length > 0) await measured(performance.now());
    };
    await Promise.all(Array.from({ length: pace.atOnce }, worker));
  } else {
    const running: Promise<void>[] = [];
    for (let due = began; due < deadline && keys.length > 0;) {
      const wait = due - performance.now();
      if (wait > 0) await pause(wait);
      else await new Promise((resolve) => setImmediate(resolve));
      running.push(measured(due));
      due += (-Math.log(1 - Math.random()) * 1000) / pace.perSecond;
    }
    await Promise.all(running);
  }
  return { latencies, failures, elapsed: performance.now() - began };
}

type Message =
  | { readonly type: 'keys'; readonly count: number }
  | { readonly type: 'run'; readonly load: Load };

const vendor = await openSimulatedVendor({ folder: process.argv[2] as string, now: () => new Date() });
const handle = async (message: Message): Promise<unknown> => {
  if (message.type === 'keys') return makeKeys(message.count);
  const { load } = message;
  return run(load, load.kind === 'tls' ? (pair) => handshake(load, pair) : starter(load, vendor));
};
process.on('message', (message: Message) => {
  void handle(message).then((result) => process.send?.({ result: result ?? null }));
});
// Whoever tells it what to do is gone.
process.on('disconnect', () => process.exit());
process.send?.({ result: 'ready' });

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import * as v from 'valibot';
import { fromHex } from '@ensconce/base/bytes';
import { CasConnection } from '@ensconce/api/connection';
import { selfSigned } from '@ensconce/identity/self-signed';
import { openSimulatedVendor, type SimulatedVendor } from '@ensconce/simulation/vendor';
import { FrameConnection } from '@ensconce/wire/frames';
import { lasFrameLimit, lasRequest } from '@ensconce/wire/las';
import { startCas, type Cas, type CasOptions } from '../src/cas.ts';
import { evidenceVerifier } from '../src/evidence/verifier.ts';
import { insecureKeyFile } from '../src/store/key-sealer.ts';

/** What the simulated hardware measures of the CAS under test. */
export const casMeasurement = 'ca'.repeat(32);

export function testFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'cas-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface CasUnderTest {
  readonly cas: Cas;
  readonly vendor: SimulatedVendor;
  readonly folder: string;
  /** Connects as a client; closed after the test. */
  readonly connect: (identity?: ClientKeys) => Promise<CasConnection>;
}

export interface ClientKeys {
  readonly privateKey: string;
  readonly certificate: string;
}

export async function clientKeys(name = 'client'): Promise<ClientKeys> {
  const { privateKey, certificate } = await selfSigned(name, new Date());
  return { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), certificate };
}

/** A LAS that gives whoever asks evidence about a program with {@link casMeasurement}. */
async function simulatedLas(t: TestContext, folder: string, vendor: SimulatedVendor): Promise<string> {
  const path = join(folder, 'las.sock');
  const answer = async (frames: FrameConnection): Promise<void> => {
    const { reportData } = v.parse(lasRequest, await frames.receive());
    const quote = vendor.makeSgxQuote({
      mrenclave: fromHex(casMeasurement),
      mrsigner: new Uint8Array(32),
      isvprodid: 1,
      isvsvn: 1,
      reportData: fromHex(reportData),
    });
    frames.send({ type: 'evidence', format: 'sgx', evidence: Buffer.from(quote).toString('base64') });
  };
  const server = createServer((socket) => {
    answer(new FrameConnection(socket, 'client of LAS', lasFrameLimit)).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  return path;
}

/** A CAS in this process, on free ports, with a simulated vendor that it believes unless `options` say otherwise. */
export async function casUnderTest(
  t: TestContext,
  options: Partial<CasOptions> & { readonly folder?: string } = {},
): Promise<CasUnderTest> {
  const folder = options.folder ?? testFolder(t);
  const vendor = await openSimulatedVendor({
    folder: join(folder, 'vendor'),
    now: options.now ?? (() => new Date()),
  });
  const state = join(folder, 'state');
  const las = await simulatedLas(t, testFolder(t), vendor);
  const cas = await startCas({
    state,
    sealer: insecureKeyFile(state),
    clientListen: { host: '127.0.0.1', port: 0 },
    serviceListen: { host: '127.0.0.1', port: 0 },
    las: { socket: las, timeout: 5000 },
    verifier: evidenceVerifier({ insecureSimulatedVendor: vendor }),
    creators: 'anybody',
    now: () => new Date(),
    random: randomBytes,
    log: pino({ level: 'silent' }),
    ...options,
  });
  let closed = false;
  t.after(() => (closed ? undefined : cas.close()));
  return {
    cas: {
      ...cas,
      close: async () => {
        closed = true;
        await cas.close();
      },
    },
    vendor,
    folder,
    connect: async (identity) => {
      const connection = await CasConnection.open({
        address: { host: '127.0.0.1', port: cas.clientAddress.port },
        pinned: cas.identity,
        timeout: 5000,
        ...(identity === undefined ? {} : { identity }),
      });
      t.after(() => connection.close());
      return connection;
    },
  };
}

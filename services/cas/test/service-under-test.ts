import { randomBytes, X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { fromHex } from '@ensconce/base/bytes';
import { encodeDescription, measureDescription, type ImageDescription } from '@ensconce/measurement/image';
import type { SimulatedVendor } from '@ensconce/simulation/vendor';
import {
  attestAnswer,
  attestationFrameLimit,
  attestationProtocol,
  challenge,
  type AttestAnswer,
} from '@ensconce/wire/attestation';
import { exporterLabel, exporterSize, reportData } from '@ensconce/wire/binding';
import { FrameConnection } from '@ensconce/wire/frames';
import type { Cas } from '../src/cas.ts';
import { clientKeys, type ClientKeys } from './cas-under-test.ts';

/** The image that the service under test runs, for a CAS with that identity. */
export function imageFor(cas: Cas, layers: readonly string[] = ['1'.repeat(64)]): ImageDescription {
  return {
    format: 'ensconce-image/1',
    architecture: 'amd64',
    runtime: '2'.repeat(64),
    layers: [...layers],
    cas: { identity: cas.identity, simulated: true },
  };
}

export const measure = (image: ImageDescription): string => measureDescription(encodeDescription(image));

/** An open connection of a service to CAS, after the challenge. */
export interface ServiceConnection {
  readonly socket: TLSSocket;
  readonly frames: FrameConnection;
  readonly keys: ClientKeys;
  readonly nonce: Uint8Array;
  readonly exporter: Uint8Array;
}

export async function openService(cas: Cas, keys?: ClientKeys): Promise<ServiceConnection> {
  const pair = keys ?? (await clientKeys('service'));
  const socket = connect({
    host: '127.0.0.1',
    port: cas.serviceAddress.port,
    ALPNProtocols: [attestationProtocol],
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    key: pair.privateKey,
    cert: pair.certificate,
  });
  const frames = new FrameConnection(socket, 'CAS', attestationFrameLimit);
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const { nonce } = v.parse(challenge, await frames.receive(5000));
  return {
    socket,
    frames,
    keys: pair,
    nonce: fromHex(nonce),
    exporter: socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0)),
  };
}

const publicKey = (certificate: string): Uint8Array =>
  new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });

export interface AttestOptions {
  readonly vendor: SimulatedVendor;
  readonly cas: Cas;
  readonly configId: string;
  readonly image: ImageDescription;
  /** The key of the process; a new one unless given. */
  readonly keys?: ClientKeys;
  /** More of the frame. */
  readonly frame?: Readonly<Record<string, unknown>>;
  /** Parts of what is sent or signed that shall be wrong. */
  readonly wrong?: {
    readonly mrenclave?: string;
    readonly reportData?: Partial<Parameters<typeof reportData>[0]>;
    readonly debug?: boolean;
    readonly evidence?: (evidence: Uint8Array) => Uint8Array;
    readonly description?: Uint8Array;
  };
}

/** The frame that attests the service on that connection. */
export function attestFrame(connection: ServiceConnection, options: AttestOptions): Record<string, unknown> {
  const { vendor, cas, configId, image, wrong } = options;
  const evidence = vendor.makeSgxQuote({
    mrenclave: fromHex(wrong?.mrenclave ?? measure(image)),
    mrsigner: new Uint8Array(32).fill(9),
    isvprodid: 7,
    isvsvn: 3,
    ...(wrong?.debug === undefined ? {} : { debug: wrong.debug }),
    reportData: reportData({
      role: 'service-to-cas',
      publicKey: publicKey(connection.keys.certificate),
      exporter: connection.exporter,
      nonce: connection.nonce,
      configId,
      casIdentity: publicKey(cas.certificate),
      ...wrong?.reportData,
    }),
  });
  const description = wrong?.description ?? encodeDescription(image);
  return {
    type: 'attest',
    version: 1,
    configId,
    format: 'sgx',
    evidence: Buffer.from(wrong?.evidence?.(evidence) ?? evidence).toString('base64'),
    description: Buffer.from(description).toString('base64'),
    ...options.frame,
  };
}

/** Attests on a new connection; the connection stays open where the service was configured. */
export async function attestOnce(
  options: AttestOptions,
): Promise<{ readonly answer: AttestAnswer; readonly connection: ServiceConnection }> {
  const connection = await openService(options.cas, options.keys);
  connection.frames.send(attestFrame(connection, options) as never);
  const answer = v.parse(attestAnswer, await connection.frames.receive(5000));
  if (answer.type === 'refused') connection.socket.destroy();
  return { answer, connection };
}

export const randomKey = (): string => randomBytes(32).toString('hex');

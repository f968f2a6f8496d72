import { createHash, X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import * as v from 'valibot';
import { describeIssue } from '@ensconce/base/issue';
import {
  type Attest,
  attestAnswer,
  attestationFrameLimit,
  attestationProtocol,
  challenge,
  type ServiceEvent,
} from '@ensconce/wire/attestation';
import { exporterLabel, exporterSize, reportData } from '@ensconce/wire/binding';
import type { Configuration } from '@ensconce/wire/configuration';
import { FrameConnection } from '@ensconce/wire/frames';
import type { VolumeAnswer } from '@ensconce/wire/volume-tags';
import type { MadeEvidence } from '@ensconce/tee/source';
import type { FreshIdentity } from './certificate.ts';
import { CasQuestions, type Question } from './cas-questions.ts';
import { RuntimeError } from './errors.ts';

export interface AttestationRequest {
  readonly host: string;
  readonly port: number;
  readonly configId: string;
  readonly serviceAccessToken: string | undefined;
  readonly identity: FreshIdentity;
  /** Canonical image description, as measured. */
  readonly description: Uint8Array;
  /** Hex SHA-256 of the identity key that the image obeys. */
  readonly casIdentity: string;
  /** Undefined where there is nothing that makes evidence. */
  readonly makeEvidence: (reportData: Uint8Array) => Promise<MadeEvidence | undefined>;
  /** Whether this process was configured on an earlier connection. */
  readonly again?: boolean;
  /** Told when CAS says that a newer start of this service counts instead. */
  readonly onSuperseded?: () => void;
  /** Milliseconds for the connection, and again for each answer; 30 s unless given. */
  readonly timeout?: number;
}

/** A connection to CAS that delivered this service's configuration and stays open as long as the service runs. */
export interface CasSession {
  readonly configuration: Configuration;
  readonly simulated: boolean;
  /** CAS gives this to anybody: the session asks for no evidence. */
  readonly insecureWithoutEvidence: boolean;
  send(event: ServiceEvent): void;
  /** Whether questions still may be answered on this connection. */
  readonly alive: boolean;
  ask(question: Question): Promise<VolumeAnswer>;
  close(): Promise<void>;
}

const defaultTimeout = 30_000;

async function connectTls(request: AttestationRequest, timeout: number): Promise<TLSSocket> {
  const where = `${request.host}:${request.port}`;
  const socket = connect({
    host: request.host,
    port: request.port,
    ...(isIP(request.host) ? {} : { servername: request.host }),
    key: request.identity.privateKeyPem,
    cert: request.identity.certificatePem,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [attestationProtocol],
    // Names and issuers mean nothing here: the peer is judged by its key, below, before anything is sent.
    rejectUnauthorized: false,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.setTimeout(timeout, () => reject(new Error(`no answer within ${timeout} ms`)));
    });
  } catch (cause) {
    socket.destroy();
    throw new RuntimeError(
      'CAS_UNREACHABLE',
      `CAS: an attestation service expected at ${where}, none answers`,
      {
        cause,
        hint: 'check SCONE_CAS_ADDR and that CAS runs',
      },
    );
  }
  socket.setTimeout(0);
  // Questions are small and each waits for its answer.
  socket.setNoDelay(true);
  return socket;
}

/** The SubjectPublicKeyInfo of the CAS at the other end, if it is the one that this image obeys. */
function checkIdentity(socket: TLSSocket, expected: string): Uint8Array {
  const certificate = socket.getPeerX509Certificate();
  if (!(certificate instanceof X509Certificate) || socket.alpnProtocol !== attestationProtocol) {
    throw new RuntimeError(
      'CAS_IDENTITY',
      `CAS: a peer that speaks ${attestationProtocol} expected, another found`,
    );
  }
  const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const found = createHash('sha256').update(publicKey).digest('hex');
  if (found !== expected) {
    throw new RuntimeError(
      'CAS_IDENTITY',
      `CAS: identity ${expected} expected (it is part of this image's measurement), ${found} found`,
      {
        hint: 'the address leads to another CAS; use the one that the image was made for, or transform the image for this one',
      },
    );
  }
  return publicKey;
}

/** A frame that must have a documented form. What it holds may be secret, so an error names the place only. */
function read<Schema extends v.GenericSchema>(
  schema: Schema,
  what: string,
  frame: unknown,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, frame);
  if (parsed.success) return parsed.output;
  throw new RuntimeError(
    'CAS_ANSWER',
    `CAS: ${what} of the documented form expected; ${describeIssue(parsed.issues[0])}`,
    { hint: 'CAS and image are of different versions: transform the image again' },
  );
}

/** Proves to CAS what runs here and gets the configuration. Nothing leaves before CAS has proved its identity. */
export async function attestToCas(request: AttestationRequest): Promise<CasSession> {
  const timeout = request.timeout ?? defaultTimeout;
  const socket = await connectTls(request, timeout);
  try {
    const casIdentity = checkIdentity(socket, request.casIdentity);
    const frames = new FrameConnection(socket, 'CAS', attestationFrameLimit);
    const { nonce } = read(challenge, 'a challenge', await frames.receive(timeout));
    const evidence = await request.makeEvidence(
      reportData({
        role: 'service-to-cas',
        publicKey: request.identity.publicKey,
        exporter: socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0)),
        nonce: Uint8Array.fromHex(nonce),
        configId: request.configId,
        casIdentity,
      }),
    );
    frames.send({
      type: 'attest',
      version: 1,
      configId: request.configId,
      serviceAccessToken: request.serviceAccessToken,
      ...(request.again === true && { again: true }),
      format: evidence?.format ?? 'none',
      evidence: Buffer.from(evidence?.bytes ?? []).toString('base64'),
      ...(evidence?.certificates === undefined
        ? {}
        : { certificates: Buffer.from(evidence.certificates).toString('base64') }),
      description: Buffer.from(request.description).toString('base64'),
    } satisfies Attest);
    const answer = read(attestAnswer, 'a configuration or a refusal', await frames.receive(timeout));
    if (answer.type === 'refused') {
      const cause = answer.msg.reduceRight<Error | undefined>(
        (inner, text) => new Error(text, inner && { cause: inner }),
        undefined,
      );
      throw new RuntimeError(
        'CAS_REFUSED',
        `CAS refused to configure ${request.configId.split('@')[0]}: ${answer.code}` +
          (answer.requestId === undefined ? '' : ` (request ${answer.requestId})`),
        {
          cause,
          hint: answer.hint,
        },
      );
    }
    const questions = new CasQuestions(frames, timeout, request.onSuperseded);
    return {
      get alive() {
        return !questions.failed;
      },
      ask: (question) => questions.ask(question),
      configuration: answer.configuration,
      simulated: answer.simulated,
      insecureWithoutEvidence: answer.insecureWithoutEvidence === true,
      send: (event) => frames.send(event),
      close: () =>
        new Promise((resolve) => {
          // A CAS that went away meanwhile closed it long ago, and says so only once.
          if (socket.closed) {
            resolve();
            return;
          }
          socket.once('close', () => resolve());
          socket.end();
          setTimeout(() => socket.destroy(), 1000).unref();
        }),
    };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

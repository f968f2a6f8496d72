import { performance } from 'node:perf_hooks';
import type { TLSSocket } from 'node:tls';
import type { AuditEvent } from '@ensconce/audit/event';
import type { Logger } from 'pino';
import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import { serviceEvent, type AttestAnswer, type Challenge, type Superseded } from '@ensconce/wire/attestation';
import { exporterLabel, exporterSize, nonceSize } from '@ensconce/wire/binding';
import { FrameConnection } from '@ensconce/wire/frames';
import { attestedEvidence } from '../audit/attested-evidence.ts';
import { CasError, publicError } from '../errors.ts';
import { tracedContext, type Observer } from '../observe/observer.ts';
import { requestIdSize } from '../observe/request-id.ts';
import type { Trace } from '../observe/tracing.ts';
import type { State } from '../state/state.ts';
import { VolumeDesk } from '../volumes/serve-volumes.ts';
import type { Random } from '../store/record-cipher.ts';
import { Appraisal } from '@ensconce/verify/appraisal';
import {
  attestService,
  parseAttest,
  type AttestContext,
  type Findings,
  type AttestedService,
  type Proof,
} from './attest-service.ts';
import type { Answers } from './answers.ts';
import { publicKeyOf, type PeerConnection } from './peer-connection.ts';
import { InsecureWithoutEvidence } from './without-evidence.ts';
import type { Progress } from './service-port.ts';

/** Evidence and description fit easily; more is not read from who is not attested. */
const incomingFrameLimit = 262_144;

export interface ServeContext extends AttestContext {
  readonly state: State;
  readonly random: Random;
  readonly log: Logger;
  readonly observer: Observer;
  readonly answers: Answers;
  /** Milliseconds for the evidence to come. */
  readonly timeout: number;
  /** Called before simulated evidence is used: makes the mark in the database durable. */
  readonly markSimulated: () => Promise<void>;
}

/** One attestation as the operator sees it. */
interface Attestation {
  readonly requestId: string;
  readonly log: Logger;
  readonly trace: Trace;
  /** Milliseconds of the monotonic clock. */
  readonly began: number;
}

/** One service's connection from the challenge to its exit. Never throws. */
export async function serveService(
  shared: ServeContext,
  socket: TLSSocket,
  progress: Progress,
): Promise<void> {
  const { tracing } = shared.observer;
  // One draw for both: each costs as much as hashing a quote.
  const drawn = shared.random(requestIdSize + nonceSize);
  const requestId = toHex(drawn.subarray(0, requestIdSize));
  const log = shared.log.child({ request: requestId });
  const trace = tracing.begin('attestation', { request: requestId });
  const attestation: Attestation = { requestId, log, trace, began: performance.now() };
  const context = { ...tracedContext(shared, tracing, trace), log };
  const frames = new FrameConnection(socket, 'service', incomingFrameLimit);
  let configId = '';
  const findings: Findings = {};
  let service: AttestedService;
  try {
    const nonce = drawn.subarray(requestIdSize);
    const certificate = socket.getPeerX509Certificate();
    const connection: PeerConnection = {
      publicKey: certificate && publicKeyOf(certificate),
      exporter: socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0)),
      nonce,
    };
    frames.send({ type: 'challenge', version: 1, nonce: toHex(nonce) } satisfies Challenge);
    const frame = await trace.step('wait for evidence', () => frames.receive(context.timeout));
    progress.arrived();
    const message = parseAttest(frame);
    // A code that was refused may still be good.
    configId = message.configId.replace(/@[^/]*$/, '');
    service = await attestService(context, connection, message, findings);
    await release(context, frames, service, attestation);
    progress.attested();
  } catch (error) {
    await refuse(context, frames, { configId, ...findings }, error, attestation);
    return;
  }
  await follow(context, frames, service);
}

/** The record of the release is durable before a byte of the configuration leaves. */
async function release(
  context: ServeContext,
  frames: FrameConnection,
  service: AttestedService,
  { trace, began }: Attestation,
): Promise<void> {
  const { id, proof, configuration } = service;
  const simulated = isSimulated(proof);
  if (simulated) await context.markSimulated();
  await trace.step('record', () =>
    context.state.audit.append(releaseEvent(service), context.state.store.sequence),
  );
  const insecure = 'insecure' in proof;
  frames.sendEncoded(context.answers.of(configuration, { simulated, insecure }));
  context.observer.metrics.attested('configured', performance.now() - began);
  trace.end({ result: 'configured', simulated });
  const who = { session: id.session, service: id.service };
  if (insecure) context.log.warn(who, 'service configured WITHOUT EVIDENCE: its session asks nobody for any');
  else context.log.info({ ...who, simulated }, 'service attested');
}

/** Nothing is released for less than one of these two. */
function isSimulated(proof: Proof): boolean {
  if ('insecure' in proof) {
    if (InsecureWithoutEvidence.is(proof.insecure)) return false;
  } else {
    const { appraisal } = proof;
    if (
      Appraisal.is(appraisal) &&
      appraisal.accepted &&
      appraisal.reportDataChecked &&
      appraisal.identityChecked
    )
      return appraisal.verdict.simulated;
  }
  throw new TypeError('an accepted appraisal of program and connection expected');
}

/** The newer start goes on whether or not this one still hears of it. */
function supersede(context: ServeContext, frames: FrameConnection): void {
  try {
    frames.send({ type: 'superseded' } satisfies Superseded);
    frames.close();
  } catch (error) {
    context.log.debug({ err: error }, 'a superseded service could not be told');
  }
}

function releaseEvent({ id, proof, released }: AttestedService): AuditEvent {
  const what = { released: [...released], service: id.service, session: id.session };
  if ('insecure' in proof) return { ...what, type: 'Service configured without evidence' };
  const { appraisal, claims, measurement } = proof;
  const evidence = attestedEvidence(appraisal.verdict, claims, measurement);
  return { evidence, ...what, type: 'Service attested' };
}

async function refuse(
  context: ServeContext,
  frames: FrameConnection,
  asked: Findings & { readonly configId: string },
  error: unknown,
  { requestId, trace, began }: Attestation,
): Promise<void> {
  const { configId } = asked;
  const shown = publicError(error);
  if (shown.status >= 500) context.log.error({ err: error, configId }, 'attestation failed');
  else context.log.info({ configId, code: shown.code, reason: shown.msg }, 'service refused');
  context.observer.metrics.attested(shown.code, performance.now() - began);
  trace.end({ result: shown.code }, shown.code);
  try {
    await context.state.audit.note(
      { type: 'Service refused', ...asked, code: shown.code, reason: shown.msg },
      context.state.store.sequence,
    );
    frames.send({
      type: 'refused',
      msg: shown.msg,
      code: shown.code,
      retry: shown.retry,
      requestId,
      ...(shown.hint === undefined ? {} : { hint: shown.hint }),
    } satisfies AttestAnswer);
  } catch (failure) {
    context.log.warn({ err: failure }, 'a refusal could not be recorded or sent');
  }
}

/** Reads the service's events until it exits or its connection ends; the audit log gets the exit either way. */
async function follow(
  context: ServeContext,
  frames: FrameConnection,
  { id, volumes, singleton }: AttestedService,
): Promise<void> {
  const who = { service: id.service, session: id.session };
  const { audit, store } = context.state;
  const unwatch =
    singleton === undefined
      ? undefined
      : context.singletons.watch(singleton.of, singleton.instance, () => supersede(context, frames));
  const desk = new VolumeDesk({
    tags: context.volumeTags,
    user: who,
    volumes,
    send: (answer) => frames.send(answer),
  });
  let status: number | null = null;
  try {
    let started = false;
    while (status === null) {
      const frame = await frames.next();
      if (frame === undefined) {
        context.log.info(who, 'service connection ended');
        break;
      }
      if (desk.take(frame)) continue;
      const parsed = v.safeParse(serviceEvent, frame);
      if (!parsed.success)
        throw new CasError('CAS_PROTOCOL', 'event: started, exited or a question about a volume expected');
      const event = parsed.output;
      if (event.type === 'exited') {
        status = event.status;
      } else {
        if (started) throw new CasError('CAS_PROTOCOL', 'event: started once expected, twice found');
        started = true;
        await audit.note({ ...who, type: 'Service started' }, store.sequence);
      }
    }
  } catch (error) {
    context.log.info(
      { ...who, reason: error instanceof Error ? error.message : '' },
      'service connection ended',
    );
  }
  unwatch?.();
  await desk.settled();
  try {
    // After a report the runtime waits for the end of the connection, otherwise nobody waits.
    await audit.note({ ...who, status, type: 'Service exited' }, store.sequence, status === null);
  } catch (failure) {
    context.log.warn({ err: failure, ...who }, 'an exit could not be recorded');
  }
}

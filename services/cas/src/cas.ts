import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { keyHash } from '@ensconce/policy/key-hash';
import { Azure } from '@ensconce/secrets/azure';
import { requestEvidence, type LasAddress } from '@ensconce/las-client/evidence';
import { azureExchange, publicAuthority, type AzureAccess } from './azure/azure-exchange.ts';
import { OtherCases } from './federation/other-cases.ts';
import type { Session } from '@ensconce/policy/session';
import { AttestedClients } from './client-port/attested-clients.ts';
import { clientApi } from './client-port/client-api.ts';
import { clientPolicy } from './client-port/client-policy.ts';
import { UnreadableRequests } from './client-port/unreadable-requests.ts';
import { ClientPort } from './client-port/client-port.ts';
import { ownEvidence } from './client-port/own-evidence.ts';
import { RateLimit } from './client-port/rate-limit.ts';
import { endorseAuditKey } from './audit/endorsement.ts';
import type { NetworkSink } from './audit/network-sink.ts';
import { openSink, sinkChange } from './audit/open-sink.ts';
import type { SinkSettings } from './audit/sink-settings.ts';
import { maaClient } from './evidence/maa-client.ts';
import type { MaaTokens } from './evidence/maa.ts';
import { ownPlatforms } from './evidence/own-platform.ts';
import { StoredWatermarks } from './evidence/stored-watermarks.ts';
import { healthOf, type Health } from './observe/health.ts';
import { Metrics } from './observe/metrics.ts';
import { MetricsPort } from './observe/metrics-port.ts';
import { observedVerifier, type Observer } from './observe/observer.ts';
import { noTracing, type Tracing } from './observe/tracing.ts';
import { watchedCas } from './observe/watched.ts';
import type { EvidenceVerifier } from './evidence/verifier.ts';
import { defaultLimits, type CasLimits } from './limits.ts';
import type { Listen } from './listen.ts';
import { Answers } from './service-port/answers.ts';
import { KnownDescriptions } from './service-port/known-descriptions.ts';
import { OneTimePasswords } from './service-port/one-time-passwords.ts';
import { nothingInsecure, type InsecurePermissions } from './service-port/permissions.ts';
import { PreparedConfigurations } from './service-port/prepared-configurations.ts';
import { serveService } from './service-port/serve-service.ts';
import { Singletons } from './service-port/singletons.ts';
import { ServicePort } from './service-port/service-port.ts';
import { Bindings } from './sessions/bindings.ts';
import { SecretValues } from './sessions/secret-values.ts';
import { Sessions } from './sessions/sessions.ts';
import { upgradeSessions } from './sessions/upgrade.ts';
import { Serial } from './state/serial.ts';
import { openState, type State } from './state/state.ts';
import { VolumeTags } from './volumes/volume-tags.ts';
import type { KeySealer } from './store/key-sealer.ts';
import type { Random } from './store/record-cipher.ts';

export const casVersion = '0.1.0';

/** Everything that CAS takes from outside; it reads no clock, environment or random source of its own. */
export interface CasOptions {
  /** Folder of the database and the audit log; made where it is missing. */
  readonly state: string;
  readonly sealer: KeySealer;
  readonly clientListen: Listen;
  readonly serviceListen: Listen;
  /** Where CAS gets evidence about itself; without it `cas attest` is answered with an error. */
  readonly las: LasAddress | undefined;
  readonly verifier: EvidenceVerifier;
  /** What sessions may ask for that protects nothing; nothing unless given. */
  readonly insecure?: InsecurePermissions | undefined;
  /** Attestation providers that may be asked in mode `maa`, and how. */
  readonly maaTokens?: MaaTokens | undefined;
  /** Key hashes of its owners, who may create sessions outside any namespace; or whether everybody may. */
  readonly creators: 'anybody' | ReadonlySet<string>;
  /** Where audit records must be besides the file; by default nowhere. */
  readonly auditSink?: SinkSettings | undefined;
  /** Key hashes that may read the whole audit log; by default none. */
  readonly auditors?: ReadonlySet<string>;
  /** Which of Azure's clouds is used; the public one if absent. */
  readonly azure?: AzureAccess | undefined;
  /** A session whose only service says what clients must run; without it clients need no evidence. */
  readonly clientPolicy?: Session | undefined;
  readonly limits?: Partial<CasLimits>;
  /** Where metrics and health are had over plain HTTP; nowhere by default. */
  readonly metricsListen?: Listen | undefined;
  /** Counts what CAS does; made where none is given. */
  readonly metrics?: Metrics | undefined;
  readonly tracing?: Tracing | undefined;
  readonly now: () => Date;
  readonly random: Random;
  readonly log: Logger;
}

/** A running CAS. */
export interface Cas {
  /** Hex SHA-256 of the public key: what images and clients know this CAS by. */
  readonly identity: string;
  /** PEM. */
  readonly certificate: string;
  readonly clientAddress: AddressInfo;
  readonly serviceAddress: AddressInfo;
  readonly metricsAddress?: AddressInfo | undefined;
  /** Finishes what has begun, within a bound, writes the end into the audit log and lets go of the state. */
  close(): Promise<void>;
}

/** One address may ask as often as so many identities. */
const identitiesOfAddress = 10;

/** Opens and verifies the state, then listens on both ports. */
export async function startCas(options: CasOptions): Promise<Cas> {
  const { log, now, random } = options;
  const observer: Observer = {
    metrics: options.metrics ?? new Metrics(),
    tracing: options.tracing ?? noTracing,
  };
  const { metrics } = observer;
  const verifier = observedVerifier(options.verifier, metrics);
  const limits: CasLimits = { ...defaultLimits, ...options.limits };
  const state = await openState({ folder: options.state, sealer: options.sealer, random, now });
  const identity = state.identity.hash;
  const writes = new Serial();
  const sink = await openSinkOf(options, state, writes);
  const ports: { close(): Promise<void> }[] = [];
  let closing = false;
  const health = (): Health => healthOf(state, closing);
  const close = async (): Promise<void> => {
    closing = true;
    await Promise.all(ports.map((port) => port.close()));
    await writes.run(() => closeState(state, sink, options.auditSink?.url));
    await observer.tracing.close();
  };
  try {
    warn(options, state);
    state.store.onCommit = (milliseconds) => metrics.committed(milliseconds);
    state.audit.onSync = (milliseconds) => metrics.audited(milliseconds);
    const acceptsSimulation = verifier.insecureAcceptsSimulation;
    await state.audit.note(
      {
        type: 'CAS started',
        casIdentity: identity,
        ...endorseAuditKey(state.identity, state.auditKey),
        acceptsSimulation,
        sink: sinkOf(options),
      },
      state.store.sequence,
    );
    upgradeSessions(state, random);
    const sessions = new Sessions(state, limits.sessions);
    const { las } = options;
    const clock = (): number => performance.now();
    const bindings = new Bindings(state, writes);
    const values = new SecretValues({
      state,
      sessions,
      writes,
      random,
      now,
      clock,
      cas: keyHash(state.identity.publicKey),
      bindings,
      otherCases: new OtherCases({
        identity: state.identity,
        clock,
        makeEvidence: las && ((data) => requestEvidence(las, data)),
      }),
      longestWait: limits.imports.timeout,
      azure: new Azure({
        exchange: azureExchange({ ...options.azure, clock }),
        authority: options.azure?.authority ?? publicAuthority,
        random,
        now,
      }),
    });
    const watermarks = new StoredWatermarks(state, writes);
    const permissions = options.insecure ?? nothingInsecure;
    const mark = (): Promise<void> =>
      state.store.simulated ? Promise.resolve() : writes.run(() => markSimulated(state));
    const unreadable = new UnreadableRequests();
    const api = clientApi({
      unreadable,
      clients: new AttestedClients({
        policy: options.clientPolicy && clientPolicy(options.clientPolicy),
        permissions,
        state,
        verifier,
        watermarks,
        random,
        now,
        markSimulated: mark,
      }),
      values,
      bindings,
      state,
      sessions,
      writes,
      random,
      now,
      log,
      observer,
      health,
      owners: options.creators === 'anybody' ? new Set() : options.creators,
      anybodyCreates: options.creators === 'anybody',
      ownEvidence: ownEvidence(options.las, { identity: state.identity.publicKey, audit: state.notes.key }),
      auditors: options.auditors ?? new Set(),
      rateLimit: new RateLimit(limits.rate),
      addressLimit: new RateLimit({
        perSecond: limits.rate.perSecond * identitiesOfAddress,
        burst: limits.rate.burst * identitiesOfAddress,
        callers: limits.rate.callers,
      }),
      version: () => ({
        product: 'ensconce-cas',
        version: casVersion,
        api: 1,
        identity,
        acceptsSimulation,
        everAcceptedSimulation: state.store.simulated,
        witnessed: sink?.countsCommits === true && sink.up,
      }),
    });
    const clientPort = await ClientPort.open({
      listen: options.clientListen,
      identity: state.identity,
      api,
      limits: limits.clients,
      drain: limits.drain,
      log,
      onHandshakeFailure: () => metrics.handshakeFailed('client'),
      unreadable,
      random,
      onUnreadable: ({ request, code, status }) => {
        metrics.answered('none', status, 0);
        log.info({ request, route: 'none', status, code }, 'request answered');
      },
    });
    ports.push(clientPort);
    const serviceContext = {
      permissions,
      oneTimePasswords: new OneTimePasswords(state.store, writes),
      singletons: new Singletons(state.store, writes),
      ownPlatforms: ownPlatforms({ las: options.las, verifier, watermarks, now, random }),
      maaTokens: options.maaTokens ?? maaClient([]),
      state,
      sessions,
      volumeTags: new VolumeTags({ state, writes, random }),
      values,
      configurations: new PreparedConfigurations(),
      answers: new Answers(),
      verifier,
      watermarks,
      random,
      now,
      log,
      observer,
      casPublicKey: state.identity.publicKey,
      casIdentity: identity,
      descriptions: new KnownDescriptions(),
      timeout: limits.services.timeout,
      markSimulated: mark,
    };
    const servicePort = await ServicePort.open({
      listen: options.serviceListen,
      identity: state.identity,
      limits: limits.services,
      drain: limits.drain,
      log,
      onHandshakeFailure: () => metrics.handshakeFailed('service'),
      serve: (socket, progress) => serveService(serviceContext, socket, progress),
    });
    ports.push(servicePort);
    metrics.watch(watchedCas({ state, sessions, watermarks, clientPort, servicePort, health }));
    const metricsPort =
      options.metricsListen === undefined
        ? undefined
        : await MetricsPort.open({ listen: options.metricsListen, metrics, health, log });
    if (metricsPort !== undefined) ports.push(metricsPort);
    return {
      identity,
      certificate: state.identity.certificate,
      clientAddress: clientPort.address,
      serviceAddress: servicePort.address,
      metricsAddress: metricsPort?.address,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const sinkOf = ({ auditSink }: CasOptions): { url: string; witness: boolean } | null =>
  auditSink === undefined ? null : { url: auditSink.url, witness: auditSink.witness };

/** A state that a witness knows to be put back is let go as it is. */
async function openSinkOf(
  { auditSink, log }: CasOptions,
  state: State,
  writes: Serial,
): Promise<NetworkSink | undefined> {
  try {
    return auditSink && (await openSink(state, writes, auditSink, log));
  } catch (error) {
    await state.audit.close();
    state.store.close();
    throw error;
  }
}

function warn(options: CasOptions, state: State): void {
  const { log, sealer, verifier } = options;
  if (sealer.insecure)
    log.warn({ sealer: sealer.name }, 'the database key is not sealed: who reads the disk has it');
  if (verifier.insecureAcceptsSimulation) log.warn('SIMULATED evidence is accepted: it protects nothing');
  if (options.insecure?.modeNone)
    log.warn('sessions with mode none are served WITHOUT EVIDENCE: anybody gets their secrets');
  if (options.insecure?.debugMode)
    log.warn('debug-mode may be tolerated: the host can read the memory of such services');
  if (state.store.simulated)
    log.warn('this state has accepted SIMULATED evidence: it is not fit for production');
  if (options.auditSink?.witness !== true)
    log.warn('no witness of the state is configured: a roll-back of the whole state folder is not detected');
}

/** Makes the mark of simulated evidence, once and for ever. */
async function markSimulated(state: State): Promise<void> {
  if (state.store.simulated) return;
  const position = await state.audit.append(
    { type: 'Simulated evidence accepted for the first time' },
    state.store.sequence + 1,
  );
  state.store.commit([], position, { simulated: true });
}

/** The last commit holds the end of the audit log, so that a log cut later shows. */
async function closeState(
  state: State,
  sink: NetworkSink | undefined,
  url: string | undefined,
): Promise<void> {
  try {
    const position = await state.audit.note({ type: 'CAS exited' }, state.store.sequence);
    await sink?.close();
    state.store.commit(sink === undefined || url === undefined ? [] : [sinkChange(sink, url)], position);
  } finally {
    await state.audit.close();
    state.store.close();
  }
}

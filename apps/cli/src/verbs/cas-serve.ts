import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { pino, type Logger } from 'pino';
import { casVersion, startCas } from '@ensconce/cas/cas';
import { defaultLimits } from '@ensconce/cas/limits';
import { Metrics } from '@ensconce/cas/metrics';
import { insecureKeyFile } from '@ensconce/cas/key-sealer';
import { readSinkSettings, type SinkSettings } from '@ensconce/cas/sink-settings';
import { maaClient } from '@ensconce/cas/maa-client';
import { evidenceVerifier } from '@ensconce/cas/verifier';
import type { Tracing } from '@ensconce/cas/tracing';
import { formatAddress, type CasAddress } from '@ensconce/api/address';
import { CliError } from '../errors.ts';
import { loadSession } from '../state/session-file.ts';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import type { Io } from '../io.ts';
import { loadIdentity } from '../state/cli-state.ts';
import { insecureVendor } from '../state/simulated-vendor.ts';
import { causeChain } from '@ensconce/base/errors';
import { collateralSource } from '../state/collateral-source.ts';
import { LogLines } from '../output/log-lines.ts';
import { stopped } from '../output/stopped.ts';
import { listenAddress } from '../output/listen-address.ts';
import { positive } from '../output/positive.ts';
import { writeResult } from '../output/result.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly state: string;
  readonly listenClient?: CasAddress;
  readonly listenService?: CasAddress;
  readonly las?: string;
  readonly pccs?: string;
  readonly collateral?: readonly string[];
  readonly insecureAcceptSimulation?: string;
  readonly insecureAcceptModeNone?: true;
  readonly insecureAcceptDebug?: true;
  readonly maaProvider?: readonly string[];
  readonly creator?: readonly string[];
  readonly auditor?: readonly string[];
  readonly ownerConfig?: string;
  readonly azureAuthority?: string;
  readonly azureVault?: readonly string[];
  readonly azureCa?: string;
  readonly requireAttestedClients?: string;
  readonly insecureAnyCreator?: true;
  readonly maxSessions: number;
  readonly metricsListen?: CasAddress;
  readonly otlpEndpoint?: string;
  readonly logLevel: string;
  readonly json?: true;
}

const lasTimeout = 10_000;

export const casServe: Verb = {
  name: 'cas serve',
  summary: 'run a CAS until it is told to stop',
  examples: [
    'ensconce cas serve --state ./cas',
    'ensconce cas serve --state ./cas --las /run/ensconce/las.sock --insecure-accept-simulation ./simulated-vendor',
    'ensconce cas serve --state ./cas --listen-client 127.0.0.1:0 --listen-service 127.0.0.1:0 --json',
  ],
  define(command, io) {
    command
      .requiredOption('--state <dir>', 'folder of the database and the audit log; made where it is missing')
      .option(
        '--listen-client <address>',
        'where clients connect (default: 0.0.0.0:8081)',
        listenAddress(8081),
      )
      .option(
        '--listen-service <address>',
        'where services connect (default: 0.0.0.0:18765)',
        listenAddress(18_765),
      )
      .option('--las <socket>', 'LAS that makes evidence about this CAS')
      .option(
        '--creator <key-hash...>',
        'who owns this CAS, and so may create top-level sessions; by default the identity of this command',
      )
      .option(
        '--require-attested-clients <file>',
        'session whose only service says what clients must run; others get no answer',
      )
      .option('--insecure-any-creator', 'let anybody with a certificate create top-level sessions')
      .option(
        '--max-sessions <n>',
        'how many sessions CAS takes, deleted ones included; then nobody creates one, and all else goes on',
        positive,
        defaultLimits.sessions,
      )
      .option('--auditor <key-hash...>', 'who may read the whole audit log; by default nobody')
      .option('--owner-config <file>', 'settings of the owner, TOML or .json: [audit_log]')
      .option('--pccs <url>', "a PCCS to fetch collateral from; by default Intel's own service")
      .option('--collateral <path...>', 'files and folders with collateral; with them nothing is fetched')
      .option(
        '--insecure-accept-simulation <dir>',
        'believe the SIMULATED vendor kept in this folder: it protects nothing',
      )
      .option(
        '--metrics-listen <address>',
        'where Prometheus and probes ask over plain HTTP: /metrics, /v1/health/live, /v1/health/ready (default: nowhere)',
        listenAddress(9464),
      )
      .option(
        '--otlp-endpoint <url>',
        'where traces are sent by OTLP over HTTP (default: $OTEL_EXPORTER_OTLP_ENDPOINT, or nowhere)',
      )
      .option(
        '--azure-authority <url>',
        'where applications get tokens for vaults (default: https://login.microsoftonline.com)',
        azureAuthority,
      )
      .option(
        '--azure-vault <host...>',
        "vaults that sessions may use, as host[:port] or .suffix; by default those under Azure's own names",
      )
      .option('--azure-ca <file>', 'PEM authorities of both, instead of the public ones')
      .option(
        '--insecure-accept-mode-none',
        'serve sessions with mode none WITHOUT EVIDENCE: whoever asks gets their secrets',
      )
      .option(
        '--insecure-accept-debug',
        'let sessions tolerate debug-mode: the host can read the memory of such services',
      )
      .option('--maa-provider <url...>', 'attestation providers that sessions with mode maa may name')
      .option('--log-level <level>', 'trace, debug, info, warn or error', 'info')
      .option('--json', 'write JSON')
      .action(async (options: Options) => {
        const lines = new LogLines(io.stderr);
        // Also where an error that nobody expected ends the process.
        process.once('exit', lines.flush);
        try {
          await serve(io, options, pino({ level: options.logLevel, base: { service: 'cas' } }, lines));
        } finally {
          process.off('exit', lines.flush);
          lines.flush();
        }
      });
  },
};

async function serve(io: Io, options: Options, log: Logger): Promise<void> {
  const vendor = await insecureVendor(io, options.insecureAcceptSimulation);
  const metrics = new Metrics();
  if (options.metricsListen !== undefined) metrics.watchProcess();
  const endpoint = options.otlpEndpoint ?? io.environment['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const cas = await startCas({
    state: options.state,
    sealer: insecureKeyFile(options.state),
    clientListen: options.listenClient ?? { host: '0.0.0.0', port: 8081 },
    serviceListen: options.listenService ?? { host: '0.0.0.0', port: 18_765 },
    las: options.las === undefined ? undefined : { socket: options.las, timeout: lasTimeout },
    verifier: evidenceVerifier({
      collateral: collateralSource(io, join(options.state, 'collateral'), options),
      insecureSimulatedVendor: vendor,
      onLookUp: (outcome, milliseconds) => metrics.lookedUp(outcome, milliseconds),
      onFailure: (platform, error) =>
        log.warn({ platform, reason: causeChain(error) }, 'collateral could not be had'),
    }),
    azure: {
      authority: options.azureAuthority,
      vaults: options.azureVault,
      certificateAuthorities:
        options.azureCa === undefined ? undefined : readFileSync(options.azureCa, 'utf8'),
    },
    insecure: {
      modeNone: options.insecureAcceptModeNone === true,
      debugMode: options.insecureAcceptDebug === true,
    },
    maaTokens: maaClient(options.maaProvider ?? []),
    clientPolicy:
      options.requireAttestedClients === undefined
        ? undefined
        : loadSession(io, options.requireAttestedClients, { env: {} }).session,
    creators: await creatorsOf(io, options),
    auditors: new Set(options.auditor),
    limits: { sessions: options.maxSessions },
    auditSink: sinkOf(options.ownerConfig),
    metrics,
    metricsListen: options.metricsListen,
    tracing: await openTracing(endpoint, log),
    now: io.now,
    random: io.random,
    log,
  });
  const client = formatAddress({ host: cas.clientAddress.address, port: cas.clientAddress.port });
  const service = formatAddress({ host: cas.serviceAddress.address, port: cas.serviceAddress.port });
  const simulated = vendor !== undefined;
  const metricsAt =
    cas.metricsAddress && formatAddress({ host: cas.metricsAddress.address, port: cas.metricsAddress.port });
  writeResult(
    io,
    options,
    {
      identity: cas.identity,
      client,
      service,
      acceptsSimulation: simulated,
      ...(metricsAt === undefined ? {} : { metrics: metricsAt }),
    },
    () =>
      [
        `CAS ${cas.identity} is ready${simulated ? ', and accepts SIMULATED evidence' : ''}`,
        `clients:  ${client}`,
        `services: ${service}`,
        ...(metricsAt === undefined ? [] : [`metrics:  ${metricsAt}`]),
      ].join('\n'),
  );
  await stopped(io.signal);
  await cas.close();
}

/** Loaded only where traces are wanted: what does not run cannot fail. */
async function openTracing(endpoint: string | undefined, log: Logger): Promise<Tracing | undefined> {
  if (endpoint === undefined || endpoint === '') return undefined;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new CliError('CLI_USAGE', 'OTLP endpoint: an http or https URL expected, another text found', {
      hint: 'give --otlp-endpoint http://HOST:4318, or unset OTEL_EXPORTER_OTLP_ENDPOINT',
    });
  }
  const { otlpTracing } = await import('@ensconce/cas/otlp-tracing');
  return otlpTracing({ endpoint, version: casVersion, log });
}

function azureAuthority(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '') return url.origin;
  throw new InvalidArgumentError('https://HOST[:PORT] expected.');
}

async function creatorsOf(io: Io, options: Options): Promise<'anybody' | ReadonlySet<string>> {
  if (options.insecureAnyCreator === true) return 'anybody';
  return new Set(options.creator ?? [keyHashOfCertificate((await loadIdentity(io)).certificate)]);
}

function sinkOf(path: string | undefined): SinkSettings | undefined {
  if (path === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${path}: a readable file expected`, { cause });
  }
  return readSinkSettings(bytes, path);
}

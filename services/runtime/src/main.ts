import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { causeChain } from '@ensconce/base/errors';
import { parseDescription, maxDescriptionSize } from '@ensconce/measurement/image';
import { substituteHostArguments } from '@ensconce/policy/host-arguments';
import { checkUser, startApplication, startInit, type RunningApplication } from './application.ts';
import { applicationCapabilities } from './capabilities.ts';
import { attestToCas } from './cas-client.ts';
import { CasLink } from './cas-link.ts';
import { makeIdentity } from './certificate.ts';
import { RuntimeError } from './errors.ts';
import { findEvidenceSource, sessionDigest } from './evidence.ts';
import { parseHostRecord } from './host-record.ts';
import { hostSettings } from './host-settings.ts';
import { startLayers } from './layers.ts';
import { giveTo, injectedFiles, writeInRoot } from './injection.ts';
import { exitNow, forbidDumps, releaseMemory } from './linux.ts';
import { describeFailure, makeLog, writeLine } from './log.ts';
import {
  furnishRoot,
  hostPath,
  makeFolder,
  mountOverlay,
  prepareBase,
  removeRoot,
  rootPath,
} from './root.ts';
import { resolveUser } from './user.ts';
import { mountVolumes } from './volumes.ts';

/** The launcher's record is descriptor 3 (launch/launch.c). */
function readHostRecord(): Buffer {
  const bytes = readFileSync(3);
  closeSync(3);
  return bytes;
}

/** Read once: what is measured, sent and enforced are the same bytes, whatever the host does to the file meanwhile. */
function readDescription(): Uint8Array {
  const path = `${hostPath}/.ensconce/image`;
  try {
    const descriptor = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(maxDescriptionSize + 1);
      return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new RuntimeError(
      'IMAGE_DESCRIPTION',
      'the image description expected at /.ensconce/image, it cannot be read',
      {
        cause,
        hint: 'the image must come from `ensconce image`',
      },
    );
  }
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The runtime itself failed: no application ran, or it had to be stopped (docs/reference/exit-codes.md). */
const startFailed = 125;

/** The life of one confidential container, in order; returns the application's exit code. */
async function run(): Promise<number> {
  const began = performance.now();
  const host = parseHostRecord(readHostRecord());
  const settings = hostSettings(host.environment);
  const log = makeLog(settings.logLevel);
  const step = (name: string): void => log('DEBUG', `${name} at ${Math.round(performance.now() - began)} ms`);

  const encoded = readDescription();
  const description = parseDescription(encoded);
  prepareBase();
  let application: RunningApplication | undefined;
  let failure: unknown;
  const sealed = startLayers(description, log, (line) => {
    // Code and data that are not what was sealed: better no service than such a one.
    failure ??= new RuntimeError('LAYER', `the application was stopped: ${line}`);
    application?.kill();
  });
  const evidence = await findEvidenceSource(hostPath, settings.lasSocket);
  const identity = makeIdentity();
  step('identity made');
  const attest = (again: boolean) =>
    attestToCas({
      again,
      onSuperseded: () => {
        failure ??= new RuntimeError(
          'CAS_REFUSED',
          'the application was stopped: a newer start of this service counts now',
        );
        application?.kill();
      },
      host: settings.casHost,
      port: settings.casPort,
      configId: settings.configId,
      serviceAccessToken: settings.serviceAccessToken,
      identity,
      description: encoded,
      casIdentity: description.cas.identity,
      makeEvidence: async (data) => evidence?.makeEvidence(data),
    });
  const opening = CasLink.open({
    log,
    connect: async (again) => {
      const session = await attest(again);
      if (description.cas.simulated) return session;
      if (!session.simulated && !session.insecureWithoutEvidence) return session;
      throw new RuntimeError(
        'CONFIGURATION',
        `hardware evidence expected by this image, CAS accepted ${session.simulated ? 'SIMULATED evidence' : 'none'}`,
      );
    },
  });
  const init = startInit();
  const cas = await opening;
  const { configuration, simulated, insecureWithoutEvidence } = cas.first;
  if (insecureWithoutEvidence)
    log('WARNING', 'configured WITHOUT EVIDENCE: CAS gives the secrets of this session to anybody');
  if (simulated) log('WARNING', 'attested by SIMULATED hardware: nothing is protected from the host');
  // From here on, evidence from this guest says which session it serves: nobody else can use it to be another service.
  await evidence?.extend?.(sessionDigest(configuration.sessionHash));
  step('attested and configured');

  const command = substituteHostArguments(configuration.command, host.arguments);
  const layers = await sealed.mount(configuration);
  step('layers verified and mounted');
  mountOverlay(host.ownUserNamespace);
  const injected = injectedFiles(rootPath, configuration);
  furnishRoot(configuration, isatty(0));
  for (const file of injected) writeInRoot(rootPath, file);
  const user = resolveUser(rootPath, configuration.user);
  checkUser(user, host);
  // Whose they are is known once the image's user database, which may be one of them, has been read.
  for (const file of injected) giveTo(rootPath, file, user);
  const volumes = await mountVolumes({
    configuration,
    user,
    cas,
    ownUserNamespace: host.ownUserNamespace,
    log,
  });
  step('volumes mounted');
  makeFolder(configuration.pwd);
  application = startApplication(
    init,
    {
      root: rootPath,
      command,
      environment: {
        PATH: defaultPath,
        HOME: user.home,
        ...Object.fromEntries(
          configuration.hostEnvironment.map((name) => [name, host.environment.get(name) ?? '']),
        ),
        ...configuration.environment,
      },
      directory: configuration.pwd,
      user,
      capabilities: applicationCapabilities(
        host.permittedCapabilities & host.boundingSet,
        configuration.capabilities,
      ),
    },
    host,
  );
  // What was told to stop while it was not there yet.
  if (failure !== undefined) application.kill();
  try {
    await application.started;
    step('application started');
  } catch (error) {
    failure ??= error;
  }
  // The application's fate is its own from here: what fails around it is told, and changes nothing of its exit code.
  const attempt = async (what: string, action: () => unknown): Promise<void> => {
    try {
      await action();
    } catch (error) {
      log('WARNING', `${what}: ${causeChain(error).join(': ')}`);
    }
  };
  if (failure === undefined) await attempt('telling CAS of the start', () => cas.send({ type: 'started' }));
  releaseMemory();
  const ended = await application.exited;
  step('application ended');
  const status = failure instanceof RuntimeError && failure.code === 'LAYER' ? startFailed : ended;
  if (failure !== undefined) writeLine(describeFailure(failure));
  await attempt('taking the root away', removeRoot);
  await attempt('unmounting the volumes', () => volumes.unmount());
  await attempt('unmounting the layers', () => layers.unmount({ lazy: true, graceMs: 100 }));
  step('layers unmounted');
  await attempt('telling CAS of the end', () => cas.send({ type: 'exited', status }));
  await cas.close();
  step('CAS told');
  return status;
}

// PID 1 ignores signals that it does not handle: an engine that stops a container while it starts must be obeyed too.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}
forbidDumps();
process.umask(0o022);
let status = startFailed;
try {
  status = await run();
} catch (error) {
  writeLine(describeFailure(error));
}
exitNow(status);

/**
 * The whole way with nothing pretended but the silicon: real images, CAS, LAS, OCI runtime, FUSE and kernel. One world
 * per test file, everything of it in one temporary folder, and gone at the end however the tests end.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { parseAddress } from '@ensconce/api/address';
import { postSession } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { unpackLayer } from '@ensconce/bundle/unpack';
import { blobPath, readImage } from '@ensconce/image/layout';
import { parseReference } from '@ensconce/image/reference';
import { DigestCache } from '@ensconce/measurement/digest-cache';
import { describeProgram, measureProgram } from '@ensconce/measurement/program';
import { cacheFolder, repository } from '../images/places.ts';
import type { TestImage } from '../images/oci-layout.ts';
import { startContainer, type ContainerOptions, type RunningContainer } from './container.ts';
import { stop, type Finished, type StartOptions } from './processes.ts';
import { buildRuntime, unpackedRuntime, type RuntimeLayerFile } from './runtime-layer.ts';
import { command, startCas, startLas, type Cas } from './services.ts';

function missing(): string | false {
  if (process.getuid?.() !== 0) return 'SKIPPED: containers and mounts need root';
  try {
    accessSync('/dev/fuse');
    execFileSync('sh', ['-c', 'command -v runc && command -v umoci && command -v flock'], {
      stdio: 'ignore',
    });
  } catch {
    return 'SKIPPED: runc, umoci, flock and /dev/fuse are needed';
  }
  return false;
}

/** Options of every test that needs containers. */
export const needsContainers = { skip: missing(), timeout: 240_000 };

/** What every run under simulated hardware says first, on standard error. */
export const simulationWarning =
  '[ENSCONCE|WARNING] attested by SIMULATED hardware: nothing is protected from the host\n';

/** The session language, as far as the tests change it. */
export interface SessionDocument {
  name: string;
  predecessor?: string;
  services: {
    name: string;
    command: string | string[];
    environment?: Record<string, string>;
    pwd?: string;
    image_name?: string;
    attestation: { mrenclave: string[] }[];
    ensconce: { user?: string; host_files?: string[]; capabilities?: string[] };
  }[];
  images: {
    name: string;
    volumes?: { name: string; path: string; update_policy?: string; ensconce?: object }[];
    injection_files?: { path: string; content?: string; permission?: number }[];
    provide_secrets?: string[];
    ensconce: { layers: { root: string; key: string }[] };
  }[];
  volumes?: { name: string; [other: string]: unknown }[];
  secrets: { name: string; kind: string; value?: string; size?: number }[];
  ensconce: { accept_simulation: boolean };
  [other: string]: unknown;
}

/** A confidential image, its session known to CAS. */
export interface Confidential {
  readonly name: string;
  /** OCI layout. */
  readonly path: string;
  readonly measurement: string;
  readonly native: TestImage;
  readonly session: SessionDocument;
  /** Unpacked layers, lowest first: the runtime's, the sealed ones, the description's. */
  readonly layers: readonly string[];
}

export interface RunOptions extends ContainerOptions {
  /** Service of the session (default `app`), or a whole config id with a slash in it. */
  readonly service?: string;
  /** Service port of CAS (default: the world's). */
  readonly cas?: string;
  /** Replaces the unpacked layers. */
  readonly layers?: readonly string[];
  readonly las?: string;
}

export interface World {
  readonly folder: string;
  readonly cas: Cas;
  readonly las: string;
  readonly vendor: string;
  readonly runtime: RuntimeLayerFile;
  readonly runtimeFolder: string;
  /** `ensconce ARGS` with this world's state. */
  ensconce(args: readonly string[], options?: StartOptions): Promise<Finished>;
  /** As above; an exit code that is not 0 is an error. */
  done(args: readonly string[], options?: StartOptions): Promise<Finished>;
  /**
   * Transforms an image and creates its session, changed by `change` before CAS gets it. Sealed layers of an earlier test
   * are used again, as a second `ensconce image` to the same destination does, unless `fresh` says otherwise.
   */
  confidential(
    name: string,
    image: TestImage,
    change?: (session: SessionDocument) => void,
    fresh?: boolean,
  ): Promise<Confidential>;
  /** Unpacks the layers of a confidential image. */
  unpack(path: string): Promise<readonly string[]>;
  /** Creates a session as this world's client, without the command; `name` must be new. */
  create(session: SessionDocument): Promise<void>;
  start(image: Confidential, options?: RunOptions): RunningContainer;
  run(image: Confidential, options?: RunOptions): Promise<Finished>;
  close(): Promise<void>;
}

/** The measurement of a CAS that runs from this checkout, as `ensconce cas measure` shows it. */
export function measuredCas(): string {
  const cache = new DigestCache();
  return measureProgram(describeProgram(repository, cache.file(process.execPath).sha256, cache));
}

/** Adds a service like the session's first, with another command and other settings. */
export function addService(
  session: SessionDocument,
  name: string,
  command: readonly string[],
  more: Partial<SessionDocument['services'][number]> = {},
): void {
  const [first] = session.services;
  if (first === undefined) throw new Error('session: a service expected');
  session.services.push({
    ...first,
    ...more,
    ensconce: { ...first.ensconce, ...more.ensconce },
    name,
    command: [...command],
  });
}

const sessionText = (session: SessionDocument): string =>
  stringify(session, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });

/** No secret at all: the same for all tests, so that they can use each other's sealed layers. */
function familySecret(folder: string): string {
  const file = join(folder, 'family.key');
  writeFileSync(file, Buffer.alloc(32, 'no secret'));
  return file;
}

const sealedFolder = join(cacheFolder, 'sealed-for-tests');

function sealedBefore(image: TestImage): string {
  const key = createHash('sha256').update(readFileSync(join(image.path, 'index.json')));
  return join(sealedFolder, key.digest('hex'));
}

function keepSealed(path: string, place: string, runtime: RuntimeLayerFile): void {
  mkdirSync(sealedFolder, { recursive: true });
  const work = mkdtempSync(`${place}-`);
  cpSync(path, work, { recursive: true });
  rmSync(blobPath(work, runtime.layer.digest));
  try {
    renameSync(work, place);
  } catch {
    // Another test file was first.
    rmSync(work, { recursive: true, force: true });
  }
}

export async function openWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-flow-'));
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', onExit);
  const running: { running: Parameters<typeof stop>[0] }[] = [];
  try {
    const runtime = await buildRuntime();
    const runtimeFolder = await unpackedRuntime(runtime);
    const las = await startLas(folder);
    running.push(las);
    const cas = await startCas(folder, las.socket);
    running.push(cas);
    const vendor = join(folder, 'vendor');
    const ensconce: World['ensconce'] = (args, options) => command(folder, args, options);
    const done: World['done'] = async (args, options) => {
      const finished = await ensconce(args, options);
      if (finished.status === 0) return finished;
      const seen = [`found ${finished.status}`, finished.errors, 'CAS:', cas.running.errors()].join('\n');
      throw new Error(`ensconce ${args.join(' ')}: exit code 0 expected, ${seen}`);
    };
    const measured = measuredCas();
    await done([
      'cas',
      'attest',
      cas.client,
      '--mrenclave',
      measured,
      '--insecure-accept-simulation',
      vendor,
    ]);

    const create: World['create'] = async (session) => {
      const state = JSON.parse(readFileSync(join(folder, 'home', '.cas', 'config.json'), 'utf8')) as {
        identity: { privateKey: string; certificate: string };
      };
      const connection = await CasConnection.open({
        address: parseAddress(cas.client),
        identity: state.identity,
        pinned: cas.identity,
        timeout: 10_000,
      });
      try {
        await postSession(connection, sessionText(session));
      } finally {
        connection.close();
      }
    };

    const unpack: World['unpack'] = async (path) => {
      const image = await readImage(parseReference(`oci:${path}`), { os: 'linux', architecture: 'amd64' });
      const layers: string[] = [];
      for (const { digest, mediaType } of image.manifest.layers) {
        layers.push(
          digest === runtime.layer.digest
            ? runtimeFolder
            : await unpackLayer(
                { path: blobPath(path, digest), mediaType, digest },
                join(folder, 'unpacked'),
                new AbortController().signal,
              ),
        );
      }
      return layers;
    };

    const confidential: World['confidential'] = async (name, native, change, fresh = false) => {
      const path = join(folder, 'images', name);
      mkdirSync(join(folder, 'images'), { recursive: true });
      const sealed = fresh ? undefined : sealedBefore(native);
      if (sealed !== undefined && existsSync(sealed)) cpSync(sealed, path, { recursive: true });
      const file = join(folder, `${name}.generated.yml`);
      const from = ['--from', native.reference, '--to', `oci:${path}`, '--name', name, '--session', file];
      const { text } = await done(['image', ...from, '--family-secret', familySecret(folder), '--json']);
      if (sealed !== undefined && !existsSync(sealed)) keepSealed(path, sealed, runtime);
      const { measurement } = JSON.parse(text) as { measurement: string };
      const session = parse(readFileSync(file, 'utf8')) as SessionDocument;
      change?.(session);
      writeFileSync(join(folder, `${name}.yml`), sessionText(session), { mode: 0o600 });
      await done(['session', 'create', join(folder, `${name}.yml`)]);
      return { name, path, measurement, native, session, layers: await unpack(path) };
    };

    const startOne: World['start'] = (image, options = {}) => {
      const service = options.service ?? 'app';
      const configId = service.includes('/') ? service : `${image.name}/${service}`;
      return startContainer({
        ...options,
        folder,
        layers: options.layers ?? image.layers,
        environment: [`SCONE_CAS_ADDR=${options.cas ?? cas.service}`, `SCONE_CONFIG_ID=${configId}`],
        lasSocket: options.las ?? las.socket,
      });
    };

    return {
      folder,
      cas,
      las: las.socket,
      vendor,
      runtime,
      runtimeFolder,
      ensconce,
      done,
      create,
      unpack,
      confidential,
      start: startOne,
      run: (image, options) => startOne(image, options).finished,
      close: async () => {
        for (const service of running.toReversed()) await stop(service.running);
        process.off('exit', onExit);
        rmSync(folder, { recursive: true, force: true });
        if (existsSync(folder)) throw new Error(`${folder}: nothing left expected, it is still there`);
      },
    };
  } catch (error) {
    for (const service of running.toReversed()) await stop(service.running);
    onExit();
    throw error;
  }
}

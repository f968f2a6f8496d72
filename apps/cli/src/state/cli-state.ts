import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { selfSigned } from '@ensconce/identity/self-signed';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';

const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** What `cas attest` verified of one CAS; later calls accept no other. */
const attestedCas = v.strictObject({
  /** Hex SHA-256 of its public key. */
  identity: hex,
  mrenclave: hex,
  mrsigner: hex,
  simulated: v.boolean(),
  tcbStatus: v.nullable(v.string()),
  /** RFC 3339. */
  attested: v.string(),
});
export type AttestedCas = v.InferOutput<typeof attestedCas>;

const stateSchema = v.strictObject({
  version: v.literal(1),
  /** PEM pair. */
  identity: v.optional(v.strictObject({ privateKey: v.string(), certificate: v.string() })),
  /** PKCS#8 PEM, Ed25519: signs sessions where no other key is named. */
  signingKey: v.optional(v.string()),
  /** Address of the CAS that is meant where none is named. */
  defaultCas: v.optional(v.string()),
  /** By address, `host:port`. */
  cas: v.record(v.string(), attestedCas),
});
export type CliState = v.InferOutput<typeof stateSchema>;

const sizeLimit = 4_194_304;

/** Where the state stands: SCONE_CLI_CONFIG, or ~/.cas/config.json. */
export function statePath(io: Io): string {
  return io.environment['SCONE_CLI_CONFIG'] ?? join(io.home, '.cas', 'config.json');
}

export function loadState(io: Io): CliState {
  const path = statePath(io);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { version: 1, cas: {} };
    throw new CliError('CLI_STATE', `${path}: a readable file expected`, { cause });
  }
  const parsed = v.safeParse(stateSchema, parseJson(bytes, path, sizeLimit));
  if (!parsed.success) {
    throw new CliError('CLI_STATE', `${path}: ${describeIssue(parsed.issues[0])}`, {
      hint: 'the file is of another program or version: move it away, or set SCONE_CLI_CONFIG to another path',
    });
  }
  return parsed.output;
}

/** Replaces the whole file at once; it holds the private key of this identity, so nobody else may read it. */
export function saveState(io: Io, state: CliState): void {
  writeState(io, state, renameSync);
}

function writeState(io: Io, state: CliState, place: (temporary: string, path: string) => void): void {
  const path = statePath(io);
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flush: true });
      place(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
  } catch (cause) {
    throw new CliError('CLI_STATE', `${path}: a writable place expected`, {
      cause,
      hint: 'set SCONE_CLI_CONFIG to a path that you may write',
    });
  }
}

export type Identity = NonNullable<CliState['identity']>;

/** Linking fails where another process was first, so that two of them never use two identities. */
function linkUnlessThere(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The key of this command that signs sessions; made at first use. */
export async function loadSigningKey(io: Io): Promise<KeyObject> {
  // The first write of the file is that of the identity, which two processes never make twice.
  await loadIdentity(io);
  const state = loadState(io);
  if (state.signingKey !== undefined) return createPrivateKey(state.signingKey);
  const { privateKey } = generateKeyPairSync('ed25519');
  saveState(io, { ...state, signingKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
  return privateKey;
}

/** The identity of this command; made at first use. */
export async function loadIdentity(io: Io): Promise<Identity> {
  const state = loadState(io);
  if (state.identity !== undefined) return state.identity;
  const made = await selfSigned('ensconce client', io.now());
  const identity = {
    privateKey: made.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    certificate: made.certificate,
  };
  writeState(io, { version: 1, cas: {}, identity }, linkUnlessThere);
  const now = loadState(io);
  if (now.identity !== undefined) return now.identity;
  saveState(io, { ...now, identity });
  return identity;
}

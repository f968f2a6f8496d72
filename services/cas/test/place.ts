import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { deleteSession, postSession } from '@ensconce/api/client';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import type { AttestAnswer } from '@ensconce/wire/attestation';
import type { CasOptions } from '../src/cas.ts';
import { casUnderTest, clientKeys, type CasUnderTest, type ClientKeys } from './cas-under-test.ts';
import { attestOnce, imageFor, measure } from './service-under-test.ts';
import { sessionOfSecrets } from './session-of-secrets.ts';

/** A CAS under test with sessions of one service, `app`, each. */
export interface Place extends CasUnderTest {
  /** Who creates its sessions. */
  readonly client: ClientKeys;
  /** `cas_url` and `cas_key` in YAML. */
  readonly named: string;
  /** Creates a session; the environment is that of its service. Resolves to its hash. */
  readonly create: (
    name: string,
    secrets: string,
    environment?: Record<string, string>,
    more?: string,
    command?: string,
    service?: string,
  ) => Promise<string>;
  /** Deletes the version of that hash; resolves to the hash of the tombstone. */
  readonly remove: (name: string, hash: string) => Promise<string>;
  readonly start: (name: string) => Promise<AttestAnswer>;
  /** The command that the service of a session gets. */
  readonly commandOf: (name: string) => Promise<readonly string[]>;
  /** The environment that the service of a session gets. */
  readonly environment: (name: string) => Promise<Record<string, string>>;
  readonly audit: () => string;
}

/** What services got so far, in all places: none of it may ever stand in a log. */
const seen = new Set<string>();

/** Opens one. When the test ends, log and audit log of the CAS are searched for every value that any service got. */
export async function place(
  t: TestContext,
  options: Partial<CasOptions> & { readonly folder?: string } = {},
): Promise<Place> {
  let log = '';
  const write = (line: string): void => void (log += line);
  // Hooks run in the order they were made: this folder is removed after the CAS has ended and its logs were searched.
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'cas-'));
  const under = await casUnderTest(t, { log: pino({ level: 'trace' }, { write }), folder, ...options });
  const { cas, vendor } = under;
  const audit = (): string => readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  t.after(() => {
    const written = log + (existsSync(folder) ? audit() : '');
    rmSync(folder, { recursive: true, force: true });
    assert.notEqual(log, '');
    for (const value of seen) assert.equal(written.includes(value), false, 'a secret in a log');
  });
  const image = imageFor(cas);
  const keys = await clientKeys();
  const client = await under.connect(keys);
  const start = async (name: string): Promise<AttestAnswer> => {
    const { answer, connection } = await attestOnce({ cas, vendor, image, configId: `${name}/app` });
    connection.socket.destroy();
    return answer;
  };
  return {
    ...under,
    client: keys,
    audit,
    named: named({ port: cas.clientAddress.port, certificate: cas.certificate }),
    create: async (name, secrets, environment = { X: '$$SCONE::x$$' }, more = '', command, service) => {
      const layer = image.layers[0] ?? '';
      const own = { ...(command !== undefined && { command }), ...(service !== undefined && { service }) };
      const parts = { name, secrets, environment, more, mrenclave: measure(image), layer, ...own };
      return (await postSession(client, sessionOfSecrets(parts))).hash;
    },
    remove: async (name, hash) => (await deleteSession(client, name, hash)).hash,
    start,
    commandOf: async (name) => {
      const answer = await start(name);
      assert.ok(answer.type === 'configured', JSON.stringify(answer));
      return answer.configuration.command;
    },
    environment: async (name) => {
      const answer = await start(name);
      assert.ok(answer.type === 'configured', JSON.stringify(answer));
      const { environment } = answer.configuration;
      for (const value of Object.values(environment)) if (value.length >= 8) seen.add(value);
      return environment;
    },
  };
}

/** The refusal's words, joined; it must have this code, and say rightly whether a retry helps. */
export function refused(answer: AttestAnswer, code: string): string {
  assert.ok(answer.type === 'refused', 'refused');
  assert.equal(answer.code, code, JSON.stringify(answer));
  assert.equal(answer.retry, ['CAS_IMPORT_UNAVAILABLE', 'CAS_BUSY'].includes(code));
  return answer.msg.join(' / ');
}

/** `cas_url` and `cas_key` of a CAS, as imports and exports name it. */
export function named(cas: { readonly port: number; readonly certificate: string }): string {
  return `cas_url: "127.0.0.1:${cas.port}", cas_key: ${keyHashOfCertificate(cas.certificate)}`;
}

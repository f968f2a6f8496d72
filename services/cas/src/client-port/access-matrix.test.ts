import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { call } from '@ensconce/api/call';
import { deleteSession, postSession } from '@ensconce/api/client';
import type { ApiRequest, CasConnection } from '@ensconce/api/connection';
import { RefusedByCas } from '@ensconce/api/errors';
import type { Route } from '@ensconce/api/route';
import { routes, type RouteId } from '@ensconce/api/routes';
import { causeChain } from '@ensconce/base/errors';
import { fromHex } from '@ensconce/base/bytes';
import { keyHashOfCertificate, keyHashOfDigest } from '@ensconce/policy/key-hash';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { signChange, versionOf } from '@ensconce/policy/signature';
import { encryptSession } from '@ensconce/secrets/encrypted-session';
import { casUnderTest, clientKeys, type ClientKeys } from '../../test/cas-under-test.ts';
import { sessionText } from '../../test/session-text.ts';

/** Who asks. The words of `governed` below say what each may. */
const identities = {
  n: 'nobody: no certificate',
  s: 'a stranger',
  r: 'a reader',
  u: 'an updater',
  d: 'a deleter',
  c: 'a creator, by create_sessions of /',
  o: 'the owner of CAS',
  l: 'who may list',
  m: 'who may create inside',
  k: 'another CAS',
} as const;
type Letter = keyof typeof identities;
const letters = Object.keys(identities) as Letter[];
const everybody = letters.join('');

/** What stands under the name that is asked for. */
const states = [
  'absent',
  'governed',
  'private',
  'theirs',
  'hidden',
  'deleted',
  'inner',
  'innerHidden',
  'innerAbsent',
] as const;
type State = (typeof states)[number];

interface Subject {
  readonly name: string;
  /** Of the present version or the tombstone; of nothing where there is none. */
  readonly hash: string;
}

interface Probe {
  readonly what: string;
  readonly ask: (subject: Subject, world: World) => ApiRequest | Promise<ApiRequest>;
  /** Letters of those who get what they ask for; nobody where a state is missing. */
  readonly allowed: Partial<Record<State, string>>;
  /** Who is told more than `denied`, by code. */
  readonly told?: Readonly<Record<string, Partial<Record<State, string>>>>;
  /** What all others are told, alike in all states. */
  readonly denied: string;
  /** Whether a good answer changes the subject, so that the next needs a new one. */
  readonly changes?: true;
}

const mrenclave = 'aa'.repeat(32);
const nothing = '0'.repeat(64);
const at = (prefix: string, name: string): string => `${prefix}${encodeURIComponent(name)}`;
const yaml = (text: string): NonNullable<ApiRequest['body']> => ({
  type: 'application/yaml',
  content: Buffer.from(text),
});
const json = (method: ApiRequest['method'], path: string, value: unknown): ApiRequest => ({
  method,
  path,
  body: { type: 'application/json', content: Buffer.from(JSON.stringify(value)) },
});

const stranger = generateKeyPairSync('ed25519');
const strangerPem = stranger.publicKey.export({ type: 'spki', format: 'pem' });

/** A session by somebody whom nothing here names, rightly signed for the CAS with this identity. */
function signedByStranger(name: string, identity: string, predecessor?: string): unknown {
  const creator = { signer: strangerPem };
  const session = JSON.stringify({ name, version: '0.3.12', creator, ...(predecessor && { predecessor }) });
  const scope = { cas: keyHashOfDigest(fromHex(identity, 32)), expires: new Date(Date.now() + 600_000) };
  const signature = signChange(versionOf(parseSessionOrThrow(session)), scope, stranger.privateKey);
  return { format: 'ensconce-signed-session/1', session, signatures: [signature] };
}

/** The same for a deletion. */
function deletionByStranger(name: string, identity: string, deletes: string): unknown {
  const id = nothing.slice(32);
  const scope = { cas: keyHashOfDigest(fromHex(identity, 32)), expires: new Date(Date.now() + 600_000) };
  const signature = signChange({ name, id, deletes }, scope, stranger.privateKey);
  return { format: 'ensconce-signed-deletion/1', name, id, hash: deletes, signatures: [signature] };
}

const strangerSignature = (name: string, identity: string): unknown =>
  (signedByStranger(name, identity) as { readonly signatures: readonly unknown[] }).signatures[0];

/** Where the connection does not matter until the body has been read. */
const anonymous: Probe['told'] = {
  CAS_IDENTITY_REQUIRED: Object.fromEntries(states.map((state) => [state, 'n'])),
};

const update = ({ name, hash }: Subject): string => sessionText({ name, mrenclave, predecessor: hash });

/** Creating: those who may create there get it or learn that it is taken, and so do those who may update. */
const creating = (ask: Probe['ask'], told: Probe['told'] = {}): Probe => ({
  what: 'create',
  ask,
  allowed: { absent: 'oc', innerAbsent: 'm' },
  told: {
    ...told,
    CAS_SESSION_EXISTS: {
      governed: 'ocu',
      private: 'oc',
      theirs: 'oc',
      hidden: 'oc',
      deleted: 'ocu',
      inner: 'mu',
      innerHidden: 'm',
    },
  },
  denied: 'CAS_SESSION_FORBIDDEN',
  changes: true,
});
const updating = (ask: Probe['ask'], told: Probe['told'] = {}): Probe => ({
  what: 'update',
  ask,
  told,
  allowed: { governed: 'u', private: 'c', deleted: 'u', inner: 'u' },
  denied: 'CAS_SESSION_NOT_FOUND',
  changes: true,
});
const always = (what: string, request: ApiRequest): Probe => ({
  what,
  ask: () => request,
  allowed: Object.fromEntries(states.map((state) => [state, everybody])),
  denied: 'nothing',
});

const create = ({ name }: Subject): ApiRequest => ({
  method: 'POST',
  path: '/v1/sessions',
  // Another one than those that are there: the same again would be no change.
  body: yaml(sessionText({ name, mrenclave, service: 'new' })),
});

/** Values that a session publishes are everybody's, whoever may read the session. */
const published = Object.fromEntries(
  (['governed', 'private', 'theirs', 'hidden', 'inner', 'innerHidden'] as const).map((state) => [
    state,
    everybody,
  ]),
);

/** A row for each route: one that is missing does not compile. */
const matrix: { readonly [Id in RouteId]: readonly Probe[] } = {
  readVersion: [always('read', { method: 'GET', path: '/v1/version' })],
  readLive: [always('ask', { method: 'GET', path: '/v1/health/live' })],
  readReady: [always('ask', { method: 'GET', path: '/v1/health/ready' })],
  readOpenApi: [always('read', { method: 'GET', path: '/v1/openapi.json' })],
  attestCas: [
    always('ask', {
      method: 'POST',
      path: '/v1/attest',
      body: { type: 'application/json', content: Buffer.from(JSON.stringify({ nonce: nothing })) },
    }),
  ],
  readClientChallenge: [always('ask', { method: 'GET', path: '/v1/attest-client' })],
  attestClient: [
    {
      what: 'attest where nobody asked',
      ask: () => json('POST', '/v1/attest-client', { format: 'sgx', evidence: '' }),
      allowed: {},
      denied: 'CAS_REQUEST_INVALID',
    },
  ],
  postSession: [
    creating(create),
    updating((subject) => ({ method: 'POST', path: '/v1/sessions', body: yaml(update(subject)) })),
  ],
  postSessionOld: [
    creating((subject) => ({ ...create(subject), path: '/session' })),
    updating((subject) => ({ method: 'POST', path: '/session', body: yaml(update(subject)) })),
  ],
  putSession: [
    creating((subject) => ({ ...create(subject), method: 'PUT', path: at('/v1/sessions/', subject.name) })),
    updating((subject) => ({
      method: 'PUT',
      path: at('/v1/sessions/', subject.name),
      headers: { 'if-match': `"${subject.hash}"` },
      body: yaml(update(subject)),
    })),
  ],
  readSession: ['', '?secrets=shown', `?hash=${nothing}`].map((query, i) => ({
    what: `read ${query}`,
    ask: ({ name }) => ({ method: 'GET', path: at('/v1/sessions/', name) + query }),
    allowed: i === 2 ? {} : { governed: 'r', private: 'c', inner: 'r' },
    ...(i === 2 ? {} : { told: { CAS_SESSION_DELETED: { deleted: 'r' } } }),
    denied: 'CAS_SESSION_NOT_FOUND',
  })),
  postSignedDeletion: [
    {
      what: 'delete, signed by a stranger',
      ask: ({ name, hash }, { identity }) =>
        json('POST', '/v1/signed_deletions', deletionByStranger(name, identity, hash)),
      allowed: {},
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  postSignedSession: [undefined, nothing].map((predecessor) => ({
    what: predecessor === undefined ? 'create' : 'update, signed by a stranger',
    ask: ({ name }, { identity }) =>
      json('POST', '/v1/signed_sessions', signedByStranger(name, identity, predecessor)),
    allowed: {},
    denied: predecessor === undefined ? 'CAS_SESSION_FORBIDDEN' : 'CAS_SESSION_NOT_FOUND',
  })),
  putEncryptedSession: [
    creating(
      async ({ name }, world) => world.encrypted(sessionText({ name, mrenclave, service: 'new' })),
      anonymous,
    ),
    updating(async (subject, world) => world.encrypted(update(subject)), anonymous),
  ],
  readEncryptionKey: [always('read', { method: 'GET', path: '/v1/encryption_key' })],
  proposeSession: [
    {
      what: 'propose a new session',
      ask: ({ name }) => json('POST', '/v1/approvals', { session: sessionText({ name, mrenclave }) }),
      allowed: {},
      told: {
        CAS_PREDECESSOR_MISMATCH: { governed: 'ur', private: 'c', inner: 'ur', deleted: 'ur' },
        CAS_SESSION_INVALID: { absent: 'co', innerAbsent: 'lm' },
      },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
    {
      what: 'propose an update',
      ask: (subject) => json('POST', '/v1/approvals', { session: update(subject) }),
      allowed: { governed: 'ur', private: 'c', inner: 'ur', deleted: 'ur' },
      told: { CAS_PREDECESSOR_MISMATCH: { absent: 'co', innerAbsent: 'lm' } },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  proposeDeletion: [
    {
      what: 'propose a deletion',
      ask: ({ name, hash }) => json('POST', at('/v1/deletions/', name), { hash }),
      allowed: { governed: 'dr', private: 'c', inner: 'dr' },
      told: { CAS_SESSION_DELETED: { deleted: 'dr' } },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
    {
      what: 'propose the deletion of a version that is not present',
      ask: ({ name }) => json('POST', at('/v1/deletions/', name), { hash: nothing }),
      allowed: {},
      told: {
        CAS_PREDECESSOR_MISMATCH: { governed: 'dr', private: 'c', inner: 'dr' },
        CAS_SESSION_DELETED: { deleted: 'dr' },
      },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  readApprovals: [
    {
      what: 'pending updates',
      ask: ({ name }) => ({ method: 'GET', path: at('/v1/approvals/', name) }),
      allowed: {
        governed: 'urd',
        private: 'c',
        inner: 'urd',
        absent: 'co',
        deleted: 'urd',
        innerAbsent: 'lm',
      },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  approveSession: [
    {
      what: 'approve, signed by a stranger',
      ask: ({ name, hash }, { identity }) =>
        json('POST', at('/v1/approvals/', name), { hash, signature: strangerSignature(name, identity) }),
      allowed: {},
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  vetoSession: [
    {
      what: 'veto, signed by a stranger',
      ask: ({ name, hash }, { identity }) =>
        json('POST', at('/v1/vetoes/', name), { hash, veto: strangerSignature(name, identity) }),
      allowed: {},
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  withdrawSession: [
    {
      what: 'withdraw what somebody else proposed, or nobody',
      ask: ({ name, hash }) => ({ method: 'DELETE', path: `${at('/v1/approvals/', name)}?hash=${hash}` }),
      allowed: {},
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  deleteSession: [
    {
      what: 'delete',
      ask: ({ name, hash }) => ({
        method: 'DELETE',
        path: at('/v1/sessions/', name),
        headers: { 'if-match': `"${hash}"` },
      }),
      allowed: { governed: 'd', private: 'c', inner: 'd' },
      told: { CAS_SESSION_DELETED: { deleted: 'd' } },
      denied: 'CAS_SESSION_NOT_FOUND',
      changes: true,
    },
    {
      what: 'delete a version that is not present',
      ask: ({ name }) => ({
        method: 'DELETE',
        path: at('/v1/sessions/', name),
        headers: { 'if-match': `"${nothing}"` },
      }),
      allowed: {},
      told: {
        CAS_PRECONDITION_FAILED: { governed: 'd', private: 'c', inner: 'd' },
        CAS_SESSION_DELETED: { deleted: 'd' },
      },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
    {
      what: 'delete blindly',
      ask: ({ name }) => ({ method: 'DELETE', path: at('/v1/sessions/', name) }),
      allowed: {},
      denied: 'CAS_PRECONDITION_REQUIRED',
    },
  ],
  listSessions: [
    {
      what: 'list inside',
      ask: ({ name }) => ({ method: 'GET', path: at('/v1/sessions?namespace=', name) }),
      allowed: { governed: 'lm', private: 'c', inner: 'lm' },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
    always('list at top level', { method: 'GET', path: '/v1/sessions' }),
  ],
  readHistory: [
    {
      what: 'history',
      ask: ({ name }) => ({ method: 'GET', path: at('/v1/history/', name) }),
      allowed: { governed: 'r', private: 'c', inner: 'r', deleted: 'ru' },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  readCheckpoint: [always('read', { method: 'GET', path: '/v1/audit/checkpoint' })],
  proveConsistency: [always('ask', { method: 'GET', path: '/v1/audit/consistency?first=1&size=1' })],
  proveInclusion: [always('ask', { method: 'GET', path: '/v1/audit/inclusion?sequence=1&size=1' })],
  attestAuditKey: [always('ask', json('POST', '/v1/audit/attest', { nonce: nothing }))],
  readAuditRecords: [
    {
      what: 'the whole log, where nobody is an auditor',
      ask: () => ({ method: 'GET', path: '/v1/audit/records?from=1' }),
      allowed: {},
      denied: 'CAS_AUDIT_FORBIDDEN',
    },
  ],
  readSessionRecords: [
    {
      what: 'records of the session',
      ask: ({ name }) => ({ method: 'GET', path: at('/v1/audit/sessions/', name) }),
      allowed: { governed: 'r', private: 'c', inner: 'r', deleted: 'r' },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
    {
      what: 'a record of somebody else as if it were one of the session',
      ask: ({ name }) => ({ method: 'GET', path: `${at('/v1/audit/sessions/', name)}?before=1&size=1` }),
      allowed: {},
      told: { CAS_REQUEST_INVALID: { governed: 'r', private: 'c', inner: 'r', deleted: 'r' } },
      denied: 'CAS_SESSION_NOT_FOUND',
    },
  ],
  readValue: ['public', 'password', 'none'].map((secret, i) => ({
    what: `value ${secret}`,
    ask: ({ name }) => ({
      method: 'GET',
      path: `${at('/v1/values/session=', name)},secret=${secret}`,
    }),
    allowed: i === 0 ? published : {},
    denied: 'CAS_VALUE_NOT_FOUND',
  })),
  readValues: [
    {
      what: 'values',
      ask: ({ name }) => ({ method: 'GET', path: at('/v1/values/session=', name) }),
      allowed: published,
      denied: 'CAS_VALUE_NOT_FOUND',
    },
  ],
  // Exports name other CASes by their keys; nobody here is one.
  readExports: [
    {
      what: 'ask for an export',
      ask: ({ name }) =>
        json('POST', '/v1/exports', {
          importer: { session: 'importer', id: nothing.slice(32), hash: nothing },
          secrets: [{ session: name, secret: 'password' }],
          path: [],
          timeout: 1000,
        }),
      allowed: {},
      told: anonymous,
      denied: 'CAS_VALUE_NOT_FOUND',
    },
  ],
};

/** A world with one session for each state, and somebody of each kind. */
class World {
  readonly #keys = new Map<Letter | 'x', ClientKeys>();
  readonly #connections = new Map<Letter | 'x', CasConnection>();
  readonly #subjects = new Map<State, Subject>();
  #count = 0;
  /** Of CAS. */
  readonly identity: string;

  private constructor(identity: string) {
    this.identity = identity;
  }

  static async open(t: TestContext): Promise<World> {
    const owner = await clientKeys();
    const { cas, connect } = await casUnderTest(t, {
      creators: new Set([keyHashOfCertificate(owner.certificate)]),
      limits: { rate: { perSecond: 1e6, burst: 1e6, callers: 100 } },
    });
    const world = new World(cas.identity);
    for (const letter of [...letters, 'x'] as const) {
      if (letter !== 'n') {
        const name = letter === 'k' ? 'Ensconce CAS' : 'client';
        world.#keys.set(letter, letter === 'o' ? owner : await clientKeys(name));
      }
      world.#connections.set(letter, await connect(world.#keys.get(letter)));
    }
    const accessPolicy = `  read: [NONE]\n  update: [CREATOR]\n  create_sessions: [${world.#hash('c')}, ${world.#hash('x')}]\n  list_sessions: [NONE]`;
    await postSession(world.as('o'), sessionText({ name: '/', mrenclave, accessPolicy }));
    const space = world.#governed('space');
    await postSession(world.as('x'), space);
    return world;
  }

  as(letter: Letter | 'x'): CasConnection {
    return this.#connections.get(letter) as CasConnection;
  }

  #hash(letter: Letter | 'x'): string {
    return keyHashOfCertificate(this.#keys.get(letter)?.certificate ?? '');
  }

  /** A session that gives each right to one of them. */
  #governed(name: string): string {
    const accessPolicy = [
      `  read: [${this.#hash('r')}]`,
      `  update: [${this.#hash('u')}]`,
      `  create_sessions: [${this.#hash('m')}]`,
      `  list_sessions: [${this.#hash('l')}]`,
    ].join('\n');
    return sessionText({ name, mrenclave, accessPolicy }).replace(
      'ensconce:\n',
      `ensconce:\n  delete: [${this.#hash('d')}]\n`,
    );
  }

  async encrypted(text: string): Promise<ApiRequest> {
    const { key } = await call(this.as('s'), routes.readEncryptionKey, {});
    const jwe = await encryptSession(text, createPublicKey(key));
    return {
      method: 'PUT',
      path: '/v1/encrypted_sessions',
      body: { type: 'application/jose', content: Buffer.from(jwe) },
    };
  }

  async subject(state: State): Promise<Subject> {
    const subject = this.#subjects.get(state) ?? (await this.#make(state));
    this.#subjects.set(state, subject);
    return subject;
  }

  /** The subject is no longer in that state. */
  spent(state: State): void {
    this.#subjects.delete(state);
  }

  async #make(state: State): Promise<Subject> {
    const inner = state.startsWith('inner');
    const name = `${inner ? 'space/' : ''}n${String(this.#count++).padStart(5, '0')}`;
    const post = async (letter: Letter | 'x', text: string): Promise<Subject> => ({
      name,
      hash: (await postSession(this.as(letter), text)).hash,
    });
    switch (state) {
      case 'absent':
      case 'innerAbsent':
        return { name, hash: nothing };
      case 'governed':
        return post('x', this.#governed(name));
      case 'inner':
        return post('m', this.#governed(name));
      case 'private':
        return post('c', sessionText({ name, mrenclave }));
      case 'theirs':
        return post('x', sessionText({ name, mrenclave }));
      case 'hidden':
      case 'innerHidden': {
        const accessPolicy =
          '  read: [NONE]\n  update: [NONE]\n  create_sessions: [NONE]\n  list_sessions: [NONE]';
        return post(inner ? 'm' : 'x', sessionText({ name, mrenclave, accessPolicy }));
      }
      case 'deleted': {
        const { hash } = await post('x', this.#governed(name));
        return { name, hash: (await deleteSession(this.as('d'), name, hash)).hash };
      }
    }
  }
}

/** How CAS answered, without the name that was asked for. */
async function outcome(
  cas: CasConnection,
  request: ApiRequest,
  subject: Subject,
): Promise<readonly [string, string]> {
  try {
    const { value } = await cas.exchange(request);
    return ['ok', JSON.stringify(value)];
  } catch (error) {
    if (!(error instanceof RefusedByCas)) throw error;
    const told = [error.status, error.retry, error.hint, ...causeChain(error)];
    return [error.reason, JSON.stringify(told).replaceAll(subject.name, 'NAME')];
  }
}

function expected(row: Route, probe: Probe, letter: Letter, state: State): string {
  if (letter === 'n' && row.access === 'identified') return 'CAS_IDENTITY_REQUIRED';
  if (probe.allowed[state]?.includes(letter) === true) return 'ok';
  const told = Object.entries(probe.told ?? {}).find(([, who]) => who[state]?.includes(letter) === true);
  return told?.[0] ?? probe.denied;
}

for (const [id, probes] of Object.entries(matrix) as [RouteId, readonly Probe[]][]) {
  void test(`${id}: everybody gets what is theirs, and all else looks absent`, async (t) => {
    const world = await World.open(t);
    for (const probe of probes) {
      for (const letter of letters) {
        const denials = new Map<string, State>();
        for (const state of states) {
          const what = `${probe.what} by ${identities[letter]}, ${state}`;
          const subject = await world.subject(state);
          const [code, told] = await outcome(world.as(letter), await probe.ask(subject, world), subject);
          assert.equal(code, expected(routes[id], probe, letter, state), `${what}: ${told}`);
          if (code === 'ok' && probe.changes === true) world.spent(state);
          // In a namespace or at top level: where a name stands is the asker's own knowledge.
          if (code === probe.denied) denials.set(told, state);
        }
        assert.ok(
          denials.size <= 1 || (probe.what === 'create' && denials.size === 2),
          [...denials.keys()].join('\n'),
        );
      }
    }
  });
}

void test('a list at top level has all for the owner of CAS and whom / lets create, nothing for others', async (t) => {
  const world = await World.open(t);
  const subjects = new Map<State, Subject>();
  for (const state of states) subjects.set(state, await world.subject(state));
  const topLevel = ['governed', 'private', 'theirs', 'hidden'] as const;
  for (const letter of letters) {
    const [, told] = await outcome(
      world.as(letter),
      { method: 'GET', path: '/v1/sessions' },
      { name: ' ', hash: '' },
    );
    const seen = states.filter((state) => told.includes(`"${subjects.get(state)?.name}"`));
    assert.deepEqual(seen, letter === 'o' || letter === 'c' ? topLevel : [], identities[letter]);
  }
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { SecretsError } from './errors.ts';
import { generateSecrets } from './generate.ts';
import { resolveImports, type ImportSource } from './imports.ts';
import { neededSecrets } from './needed.ts';
import { renderStored } from './render.ts';
import { Trail } from './trail.ts';

const options = {
  random: (size: number) => new Uint8Array(randomBytes(size)),
  now: new Date('2026-03-01T00:00:00Z'),
};
const [hash, otherHash] = ['aa'.repeat(32), 'bb'.repeat(32)];

/** Resolves the imports of the first session from the others; every session has the hash `aa…`. */
async function imports(...texts: readonly (readonly [name: string, secrets: string])[]) {
  const parties = new Map(
    await Promise.all(
      texts.map(async ([name, secrets]) => {
        const session = parseSessionOrThrow(`name: ${name}\nversion: "0.3.12"\nsecrets:\n${secrets}`);
        return [name, { session, id: name, hash, state: await generateSecrets(session, options) }] as const;
      }),
    ),
  );
  const importer = parties.get(texts[0]?.[0] ?? '');
  assert.ok(importer);
  const source: ImportSource = {
    find: (name) => parties.get(name),
    here: async ({ session }, secret, _importer, trail) => {
      const exporter = parties.get(session.name) ?? assert.fail();
      const needed = neededSecrets(exporter.session, [secret]);
      const further = await resolved(exporter, needed, trail);
      return { version: 1, secrets: { ...further, ...exporter.state.secrets } };
    },
    elsewhere: () => assert.fail('no other CAS is named'),
  };
  const resolved = async (...[party, names, trail]: [typeof importer, ReadonlySet<string>, Trail]) => {
    const { values, failures } = await resolveImports(party, names, source, trail);
    for (const failure of failures.values()) throw failure;
    return values;
  };
  const all = new Set(importer.session.secrets.map(({ name }) => name));
  return resolved(importer, all, Trail.begin('here', 0));
}
function refused(error: unknown): boolean {
  return error instanceof SecretsError && error.code === 'SECRETS_IMPORT';
}

void test('what is exported to a session, or to its namespace, arrives', async () => {
  for (const target of [
    'session: ns/a',
    'namespace: ns',
    'namespace: /',
    `session: ns/a, session_hash: ${hash}`,
  ]) {
    const found = await imports(
      ['ns/a', '- {name: mine, import: {session: b, secret: theirs}}\n'],
      ['b', `- {name: theirs, kind: ascii, value: v, export: {${target}}}\n`],
    );
    assert.equal(Buffer.from(renderStored(found['mine'] ?? assert.fail(), 'mine', '')).toString(), 'v');
  }
});

void test('what is not exported to it is refused like what does not exist', async () => {
  const importer = ['ns/a', '- {name: mine, import: {session: b, secret: theirs}}\n'] as const;
  const messages = new Set<string>();
  for (const exported of [
    '',
    ', export: {session: ns}',
    ', export: {namespace: n}',
    ', export: {namespace: ns/a}',
    `, export: {session: ns/a, session_hash: ${otherHash}}`,
  ]) {
    await assert.rejects(
      () => imports(importer, ['b', `- {name: theirs, kind: ascii${exported}}\n`]),
      (error) => refused(error) && messages.add((error as Error).message).size === 1,
    );
  }
  await assert.rejects(() => imports(importer), refused);
  await assert.rejects(() => imports(importer, ['b', '- {name: other, kind: ascii}\n']), refused);
  await assert.rejects(
    () =>
      imports(
        ['a', `- {name: mine, import: {session: b, secret: theirs, session_hash: ${otherHash}}}\n`],
        ['b', '- {name: theirs, kind: ascii, export: {session: a}}\n'],
      ),
    refused,
  );
});

void test('an import is followed through the exporter’s own imports, but not for ever', async () => {
  const found = await imports(
    ['a', '- {name: x, import: {session: b}}\n'],
    [
      'b',
      '- {name: x, import: {session: c}, export: {session: a}}\n- {name: unused, import: {session: gone}}\n',
    ],
    ['c', '- {name: x, kind: binary, value: 00ff, export: {session: b}}\n'],
  );
  assert.equal(found['x']?.kind, 'binary');
  await assert.rejects(
    () =>
      imports(
        ['a', '- {name: x, import: {session: b}, export: {session: b}}\n'],
        ['b', '- {name: x, import: {session: a}, export: {session: a}}\n'],
      ),
    refused,
  );
});

void test('a certificate brings its private key only if the key is exported too', async () => {
  const exporter = (key: string) =>
    `- {name: k, kind: private-key${key}}\n- {name: c, kind: x509-ca, private_key: k, export: {session: a}}\n`;
  const importer = ['a', '- {name: c, import: {session: b}}\n'] as const;
  const without = await imports(importer, ['b', exporter('')]);
  const withKey = await imports(importer, ['b', exporter(', export: {session: a}')]);
  assert.throws(() => renderStored(without['c'] ?? assert.fail(), 'c', 'privatekey'), SecretsError);
  assert.match(
    Buffer.from(renderStored(withKey['c'] ?? assert.fail(), 'c', 'privatekey')).toString(),
    /BEGIN PRIVATE KEY/,
  );
});

void test('an imported authority issues certificates', async () => {
  const imported = await imports(
    ['a', '- {name: ca, import: {session: b}}\n'],
    [
      'b',
      '- {name: k, kind: private-key, export: {session: a}}\n- {name: ca, kind: x509-ca, private_key: k, export: {session: a}}\n',
    ],
  );
  const session = parseSessionOrThrow(
    'name: a\nversion: "0.3.12"\nsecrets:\n- {name: ca, import: {session: b}}\n- {name: k, kind: private-key}\n- {name: c, kind: x509, private_key: k, issuer: ca}\n',
  );
  const state = await generateSecrets(session, { ...options, imported });
  const stored = state.secrets['c'];
  assert.ok(stored?.kind === 'x509' && stored.issuers.length === 1);
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Session } from '@ensconce/policy/session';
import { generateSecrets, isSettled, nextRenewal, renewSecrets } from './generate.ts';
import { neededSecrets } from './needed.ts';
import type { SecretState, StoredSecret } from './stored.ts';

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size));
const now = new Date('2026-01-01T00:00:00Z');

const session: Session = parseSessionOrThrow(`name: s
version: "0.3"
secrets:
- {name: text, kind: ascii}
- {name: bytes, kind: binary}
- {name: key, kind: private-key}
- {name: key2, kind: private-key}
- {name: public, kind: public-key, private_key: key}
- {name: root, kind: x509-ca, private_key: key2}
- {name: ca, kind: x509-ca, private_key: key, issuer: root}
- {name: leaf, kind: x509, private_key: key2, issuer: ca}
- {name: alone, kind: x509, private_key: key}
- {name: elsewhere, import: {session: other}}
- {name: from-elsewhere, kind: x509, private_key: key, issuer: elsewhere}
`);
const own = session.secrets.filter(({ name }) => !name.includes('elsewhere'));

/** That all of it fits together is said exactly where nothing would be made anew. */
async function holds(state: SecretState, name: string): Promise<boolean> {
  const names = neededSecrets(session, [name]);
  const settled = isSettled(session, state, names);
  const same = await renewSecrets(session, state, { random, now, names }).then(
    (fresh) => fresh === state,
    () => false,
  );
  assert.equal(settled, same, name);
  return settled;
}

const made = await generateSecrets(session, { random, now });
const again = await generateSecrets(session, { random, now });
const withValues = (changes: Readonly<Record<string, StoredSecret | undefined>>): SecretState => {
  const entries = Object.entries({ ...made.secrets, ...changes });
  const kept = entries.filter((entry): entry is [string, StoredSecret] => entry[1] !== undefined);
  return { version: 1, secrets: Object.fromEntries(kept) };
};

void test('what was just made is settled', async () => {
  for (const { name } of own) assert.equal(await holds(made, name), true);
});

void test('what is missing, or made of what has changed, is not', async () => {
  for (const { name } of own) assert.equal(await holds(withValues({ [name]: undefined }), name), false);
  const { key, key2, root, ca } = again.secrets;
  for (const [changes, unsettled] of [
    [{ key }, ['public', 'ca', 'leaf', 'alone']],
    [{ key2 }, ['root', 'ca', 'leaf']],
    [{ root, key2 }, ['ca', 'leaf']],
    [{ ca, key }, ['public', 'alone', 'leaf', 'ca']],
  ] as const) {
    for (const { name } of own) {
      assert.equal(await holds(withValues(changes), name), !(unsettled as readonly string[]).includes(name));
    }
  }
});

void test('what comes from elsewhere never is', () => {
  for (const name of ['elsewhere', 'from-elsewhere'])
    assert.equal(isSettled(session, made, neededSecrets(session, [name])), false);
});

void test('the first certificate to be renewed says until when', async () => {
  const times = Object.values(made.secrets).flatMap((secret) =>
    secret.kind === 'x509' ? [secret.renew] : [],
  );
  const first = times.map((time) => Date.parse(time ?? '')).sort((a, b) => a - b)[0] ?? 0;
  assert.equal(nextRenewal(made), first);
  const names = neededSecrets(
    session,
    own.map(({ name }) => name),
  );
  for (const [offset, same] of [
    [-1, true],
    [0, false],
  ] as const) {
    const fresh = await renewSecrets(session, made, { random, now: new Date(first + offset), names });
    assert.equal(fresh === made, same);
  }
  assert.equal(nextRenewal({ version: 1, secrets: {} }), Infinity);
});

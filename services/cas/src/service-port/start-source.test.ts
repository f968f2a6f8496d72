import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatsOf } from '@ensconce/policy/secret-format';
import type { SecretKind } from '@ensconce/policy/session';
import { encodeFrame } from '@ensconce/wire/frames';
import { sessionOfSecrets } from '../../test/session-of-secrets.ts';
import { programOf, stateUnderTest, type StateUnderTest } from '../../test/state-under-test.ts';
import { CasError } from '../errors.ts';
import { Answers } from './answers.ts';
import { fromRecord, fromSession, type OpenedStart } from './start-source.ts';

const layer = '1'.repeat(64);
const program = programOf([layer]);
const grounds = { simulated: true, insecure: false };

const secrets = `  - {name: text, kind: ascii, export_public: true}
  - {name: given, kind: ascii, value: "é \\" \\\\ \\n 🔑 $$SCONE::text$$"}
  - {name: bytes, kind: binary, size: 16}
  - {name: key, kind: private-key}
  - {name: ca_key, kind: private-key, key_type: Ed25519}
  - {name: public, kind: public-key, private_key: key}
  - {name: ca, kind: x509-ca, private_key: ca_key}
  - {name: cert, kind: x509, private_key: key, issuer: ca, dns: app}
`;
const kinds: Readonly<Record<string, SecretKind>> = {
  text: 'ascii',
  given: 'ascii',
  bytes: 'binary',
  key: 'private-key',
  public: 'public-key',
  ca: 'x509-ca',
  cert: 'x509',
};

/** The start of `name`/app from the record and from the session itself, both of sessions that nobody asked for yet. */
async function bothWays(
  { cold, clock }: StateUnderTest,
  name: string,
  of = program,
): Promise<readonly [record: OpenedStart, session: OpenedStart]> {
  const id = { session: name, service: 'app', oneTimePassword: undefined };
  const now = new Date(clock.now);
  const [first, second] = [cold(), cold()];
  const record = first.sessions.findForStart(name, 'app', now);
  assert.ok(record !== undefined && 'of' in record, `${name} has a start record`);
  const found = second.sessions.find(name);
  assert.ok(found);
  const [kept, whole] = [fromRecord(first, record, id), await fromSession(second, found, id)];
  assert.equal(kept.id, whole.id);
  return Promise.all([kept, whole].map((source) => source.open({ ...of, now }))) as Promise<
    [OpenedStart, OpenedStart]
  >;
}

const text = fc.array(
  fc.oneof(
    fc.constantFrom('plain', 'ü', '"', '\\\\', ' '),
    fc.constantFrom(...Object.entries(kinds)).chain(([name, kind]) => {
      const formats = (formatsOf(kind) ?? []).filter((format) => !/der|bin|pkcs12|^\.|^$/.test(format));
      return fc.constantFrom(...formats).map((format) => `$$SCONE::${name}:${format}$$`);
    }),
  ),
  { maxLength: 5 },
);
const service = fc.record({
  environment: fc.dictionary(
    fc.stringMatching(/^[A-Z]{1,4}$/),
    text.map((parts) => parts.join('')),
    {
      maxKeys: 6,
    },
  ),
  files: fc.array(text, { maxLength: 3 }),
  template: fc.boolean(),
  user: fc.constantFrom('', '1000:1000'),
  argument: fc.constantFrom('', ' @@1', ' $$SCONE::text$$', ' "a b"'),
});

void test('property: what leaves and what the audit log gets is the same, byte for byte, by the record and by the session', async (t) => {
  const under = await stateUnderTest(t);
  let count = 0;
  await fc.assert(
    fc.asyncProperty(service, async ({ environment, files, template, user, argument }) => {
      const name = `s${count++}`;
      const injected = files.map((parts, i) => ({
        path: `/f${i}`,
        content: `${parts.join('')} `,
        permission: 0o400,
      }));
      const all = JSON.stringify([...injected, ...(template ? [{ path: '/template' }] : [])]);
      const written = sessionOfSecrets({
        name,
        mrenclave: program.measurement,
        layer,
        environment,
        secrets,
        command: `/bin/app${argument}`,
        service: `ensconce: ${JSON.stringify({ user, host_files: ['/etc/hosts'] })}\n    `,
      }).replace('    ensconce: {layers', () => `    injection_files: ${all}\n    ensconce: {layers`);
      // A template may hold a certificate as PKCS #12, which is made anew each time.
      const constant = written
        .replace(/ {2}- \{name: c(?:a|ert),.*\n/g, '')
        .replace(/\$\$SCONE::c(?:a|ert):[^$]*\$\$/g, '');
      await under.write(template ? constant : written);
      const [record, session] = await bothWays(under, name);
      const [kept, whole] = [await record.deliver(), await session.deliver()];
      const { configuration } = whole;
      assert.ok(!('json' in configuration));
      const answer = encodeFrame({ type: 'configured', configuration, simulated: true });
      assert.ok(new Answers().of(kept.configuration, grounds).equals(answer));
      assert.ok(new Answers().of(configuration, grounds).equals(answer));
      assert.deepEqual(kept.released, whole.released);
      assert.deepEqual(kept.volumes, whole.volumes);
    }),
    { numRuns: 40 },
  );
});

const simple = (name: string, more = ''): string =>
  sessionOfSecrets({
    name,
    mrenclave: program.measurement,
    layer,
    environment: { X: '$$SCONE::x$$' },
    secrets: '  - {name: x, kind: ascii}\n',
    more,
  });

void test('an image of other layers is refused in the same words', async (t) => {
  const under = await stateUnderTest(t);
  await under.write(simple('s'));
  const starts = await bothWays(under, 's', programOf([layer, layer]));
  const refusals = await Promise.all(
    starts.map((start) =>
      (async () => start.deliver())().then(
        () => assert.fail('a refusal expected'),
        (error: unknown) => error,
      ),
    ),
  );
  const [first, second] = refusals as [unknown, unknown];
  assert.ok(first instanceof CasError && second instanceof CasError);
  assert.deepEqual([first.code, first.message, first.hint], [second.code, second.message, second.hint]);
  assert.match(first.message, /sealed layers that were measured expected in image 'image'/);
});

void test('no reference stands for anything to whom a record lets in', async (t) => {
  const under = await stateUnderTest(t);
  await under.write(simple('s'));
  const [record] = await bothWays(under, 's');
  assert.equal((await record.lookup())({ name: 'x', format: '' }), undefined);
});

void test('a start that was judged before an update is not served after it', async (t) => {
  const under = await stateUnderTest(t);
  const { version } = await under.write(simple('s'));
  const first = under.cold();
  const record = first.sessions.findForStart('s', 'app', new Date(under.clock.now));
  assert.ok(record !== undefined && 'of' in record);
  const source = fromRecord(first, record, { session: 's', service: 'app', oneTimePassword: undefined });
  const start = await source.open({ ...program, now: new Date(under.clock.now) });
  start.checkPresent();
  // Secrets made anew take nothing back.
  const found = first.sessions.find('s');
  assert.ok(found);
  first.sessions.write({ ...found }, under.state.audit.position);
  start.checkPresent();
  await under.write(`${simple('s')}predecessor: ${version.hash}\n`, first.sessions);
  assert.throws(() => start.checkPresent(), { code: 'CAS_BUSY' });
});

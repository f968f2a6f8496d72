import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { clientKeys } from '../../test/cas-under-test.ts';
import { sessionUnderTest, type SessionUnderTest } from '../../test/session-under-test.ts';

const other = 'ee'.repeat(32);
const exported = 'export: {namespace: /}';
const fragment = (value: string, more = exported): string =>
  `  - {name: f, kind: config-fragment, value: ${value}, ${more}}\n`;
const importing = (session: string, hash?: string): string =>
  `  - {name: f, import: {session: ${session}, secret: f${hash === undefined ? '' : `, session_hash: ${hash}`}}}\n`;
const asFragment = '    attestation: $$SCONE::f$$\n';

void test('what runs is what a fragment says: of this session, of another, and as it is now', async (t) => {
  const { write, outcome, measurement } = await sessionUnderTest(t);
  await write({ name: 'local', service: asFragment, secrets: fragment(`{mrenclave: ${measurement}}`) });
  assert.equal(await outcome('local'), 'configured');
  const giver = await write({ name: 'giver', secrets: fragment(`[{mrenclave: ${other}}]`) });
  await write({ name: 'taker', service: asFragment, secrets: importing('giver') });
  assert.match(await outcome('taker'), /Unexpected enclave measurement .* Expected ee/);
  await write({
    name: 'giver',
    predecessor: giver,
    secrets: fragment(`[{mrenclave: ${other}}, {mrenclave: [${measurement}]}]`),
  });
  assert.equal(await outcome('taker'), 'configured');
  const text = `  - {name: f, kind: ascii, value: "${measurement}"}\n`;
  await write({ name: 'text', service: '    attestation: {mrenclave: [$$SCONE::f$$]}\n', secrets: text });
  assert.equal(await outcome('text'), 'configured');
});

void test('a fragment that is not exported, gone, or of another form is satisfied by nothing, and the refusal says so', async (t) => {
  const { write, outcome, measurement } = await sessionUnderTest(t);
  await write({
    name: 'private',
    secrets: fragment(`{mrenclave: ${measurement}}`, 'export: {session: friend}'),
  });
  await write({ name: 'odd', secrets: fragment('{mrenclaves: x}') });
  const secrets: readonly [string, string, RegExp][] = [
    ['thief', importing('private'), /not resolved: \$\$SCONE::f\$\$: no value/],
    ['orphan', importing('nobody'), /no value/],
    ['strange', importing('odd'), /a value of another form/],
  ];
  for (const [name, imported, expected] of secrets) {
    await write({ name, service: asFragment, secrets: imported });
    assert.match(await outcome(name), expected);
    await write({
      name: `${name}2`,
      service: `    attestation: {mrenclave: ${measurement}, signer: $$SCONE::f$$}\n`,
      secrets: imported,
    });
    assert.match(await outcome(`${name}2`), expected, 'the factor that is known is not enough');
  }
});

void test('fragments that import each other in a circle are satisfied by nothing', async (t) => {
  const { write, outcome } = await sessionUnderTest(t);
  const round = (session: string): string =>
    `  - {name: f, import: {session: ${session}, secret: f}, export: {namespace: /}}\n`;
  await write({ name: 'one', service: asFragment, secrets: round('two') });
  await write({ name: 'two', service: asFragment, secrets: round('three') });
  await write({ name: 'three', service: asFragment, secrets: round('one') });
  await write({ name: 'self', service: asFragment, secrets: round('self') });
  for (const name of ['one', 'two', 'three', 'self'])
    assert.match(await outcome(name), /not resolved: .*no value/);
});

/** What would let a debug enclave in. */
const loose = 'security: {attestation: {tolerate: [$$SCONE::f$$]}}\n';
const debug = { wrong: { debug: true } };

void test('only what the author fixed can loosen anything: here, or in a version that is named by its hash, all the way', async (t) => {
  const { write, outcome } = await sessionUnderTest(t, { insecure: { modeNone: false, debugMode: true } });
  await write({ name: 'local', secrets: fragment('[debug-mode]'), more: loose });
  assert.equal(await outcome('local', debug), 'configured');
  const giver = await write({ name: 'giver', secrets: fragment('[debug-mode]') });
  await write({ name: 'unpinned', secrets: importing('giver'), more: loose });
  assert.match(await outcome('unpinned', debug), /debug mode is off/);
  assert.equal(await outcome('unpinned'), 'configured');
  await write({ name: 'pinned', secrets: importing('giver', giver), more: loose });
  assert.equal(await outcome('pinned', debug), 'configured');
  const middle = await write({
    name: 'middle',
    secrets: '  - {name: f, import: {session: giver, secret: f}, export: {namespace: /}}\n',
  });
  await write({ name: 'through', secrets: importing('middle', middle), more: loose });
  assert.match(await outcome('through', debug), /debug mode is off/, 'the version in between fixes nothing');
  await write({ name: 'giver', predecessor: giver, secrets: fragment('[debug-mode]') });
  assert.match(await outcome('pinned', debug), /debug mode is off/, 'the pinned version is gone');
});

void test('the mode never comes from elsewhere, unless it is fixed', async (t) => {
  const { write, outcome } = await sessionUnderTest(t, { insecure: { modeNone: true, debugMode: false } });
  const none = fragment('{attestation: {mode: none}}');
  const giver = await write({ name: 'giver', secrets: none });
  const more = 'security: $$SCONE::f$$\n';
  const nothing = { frame: { format: 'none', evidence: '' } };
  await write({ name: 'unpinned', secrets: importing('giver'), more });
  assert.match(
    await outcome('unpinned', nothing),
    /^CAS_EVIDENCE_REFUSED: evidence of a TEE expected, none found/,
  );
  assert.match(await outcome('unpinned'), /would accept more, imported without session_hash/);
  await write({ name: 'pinned', secrets: importing('giver', giver), more });
  assert.equal(await outcome('pinned', nothing), 'configured');
});

void test('mode none needs the permission of whoever started CAS, and the audit log tells it from an attestation', async (t) => {
  const more = 'security: {attestation: {mode: none}}\n';
  const nothing = { frame: { format: 'none', evidence: '' } };
  const strict = await sessionUnderTest(t, { insecure: { modeNone: false, debugMode: true } });
  await strict.write({ name: 's', more });
  assert.match(await strict.outcome('s', nothing), /^CAS_EVIDENCE_REFUSED/);
  assert.match(await strict.outcome('s'), /^CAS_SERVICE_UNSUPPORTED: .*hardware expected, none found/);
  const open = await sessionUnderTest(t, { insecure: { modeNone: true, debugMode: false } });
  await open.write({ name: 's', more });
  await open.write({ name: 'hardware' });
  assert.equal(await open.outcome('s', nothing), 'configured');
  assert.equal(
    await open.outcome('s', { wrong: { mrenclave: other } }),
    'configured',
    'evidence is not looked at',
  );
  assert.match(await open.outcome('hardware', nothing), /^CAS_EVIDENCE_REFUSED/);
  assert.match(await open.outcome('nobody', nothing), /^CAS_EVIDENCE_REFUSED/);
  const log = readFileSync(join(open.folder, 'state', 'audit.jsonl'), 'utf8');
  assert.match(log, /"Service configured without evidence"/);
  assert.doesNotMatch(log, /"Service attested"/);
});

void test('mode none still asks for what the host must know', async (t) => {
  const { write, outcome } = await sessionUnderTest(t, { insecure: { modeNone: true, debugMode: false } });
  await write({ name: 's', more: 'security: {service_access_token: t, attestation: {mode: none}}\n' });
  assert.match(await outcome('s'), /access token of the session expected/);
  assert.equal(await outcome('s', { frame: { serviceAccessToken: 't' } }), 'configured');
});

void test('debug mode needs two permissions: of the session, and of whoever started CAS', async (t) => {
  const more = 'security: {attestation: {tolerate: [debug-mode]}}\n';
  const strict = await sessionUnderTest(t, { insecure: { modeNone: true, debugMode: false } });
  await strict.write({ name: 's', more });
  assert.match(await strict.outcome('s', debug), /debug mode is off/);
  assert.equal(await strict.outcome('s'), 'configured');
  const open = await sessionUnderTest(t, { insecure: { modeNone: false, debugMode: true } });
  await open.write({ name: 's', more });
  await open.write({ name: 'without' });
  assert.equal(await open.outcome('s', debug), 'configured');
  assert.match(await open.outcome('without', debug), /debug mode is off/);
});

async function platforms(
  started: SessionUnderTest,
  name: string,
  platform: string,
  chip?: string,
): Promise<string> {
  const machines = chip === undefined ? '' : `    ensconce: {platforms: ["${chip}"]}\n`;
  const service = `    attestation: {mrenclave: ${started.measurement}}\n${platform === '' ? '' : `    platforms: ["${platform}"]\n`}${machines}`;
  await started.write({ name, service });
  return started.outcome(name);
}

void test('a service runs on the machines that it names', async (t) => {
  const started = await sessionUnderTest(t);
  const shown = await platforms(started, 'a', '', 'ab'.repeat(16));
  assert.match(shown, /platform is accepted: (?:ab){16} expected, [0-9a-f]{32}/);
  const [own = '', ppid = own] = /found|expected, (.*) found/.exec(shown)?.[1]?.split(', ') ?? [];
  assert.equal(await platforms(started, 'b', '', own.toUpperCase()), 'configured');
  assert.equal(await platforms(started, 'c', '', ppid), 'configured');
  assert.match(await platforms(started, 'd', '', '0c'.repeat(64)), /platform is accepted/);
  const engine = await platforms(started, 'e', `INTEL_QE_ID:${'ab'.repeat(16)}`);
  assert.match(engine, /quoting enclave is accepted: (?:ab){16} expected, [0-9a-f]{32} found/);
  const qe = /expected, ([0-9a-f]{32}) found/.exec(engine)?.[1] ?? '';
  assert.equal(await platforms(started, 'f', `INTEL_QE_ID:${qe.toUpperCase()}`), 'configured');
  assert.match(await platforms(started, 'g', 'cd'.repeat(32)), /lists no quoting enclave/);
  assert.match(await platforms(started, 'h', `INTEL_QE_ID:${qe}`, 'ab'.repeat(16)), /platform is accepted/);
});

void test('must_be_sgx_local: the machine of CAS, as the evidence of CAS itself shows it', async (t) => {
  const more = 'security: {attestation: {must_be_sgx_local: true}}\n';
  const here = await sessionUnderTest(t);
  await here.write({ name: 's', more });
  assert.equal(await here.outcome('s'), 'configured');
  const away = await sessionUnderTest(t, { las: undefined });
  await away.write({ name: 's', more });
  assert.match(await away.outcome('s'), /must_be_sgx_local: platform is accepted: nothing/);
  const silent = await sessionUnderTest(t, { las: { socket: '/nowhere/las.sock', timeout: 1000 } });
  await silent.write({ name: 's', more });
  assert.match(await silent.outcome('s'), /^CAS_EVIDENCE_UNAVAILABLE/);
});

void test('a minimum evaluation number and a minimum TCB date hold for enclaves', async (t) => {
  const { write, outcome } = await sessionUnderTest(t);
  await write({ name: 'new', ensconce: '  minimum_evaluation_number: 4000000000\n' });
  assert.match(
    await outcome('new'),
    /TCB information is recent enough: evaluation 4000000000 or later expected/,
  );
  await write({ name: 'old', ensconce: '  minimum_evaluation_number: 1\n  minimum_tcb_date: 2018-01-01\n' });
  assert.equal(await outcome('old'), 'configured');
  await write({ name: 'future', ensconce: '  minimum_tcb_date: 2999-01-01\n' });
  assert.match(await outcome('future'), /TCB level is recent enough/);
});

void test('a signer with versions stands beside a measurement or for itself', async (t) => {
  const { write, outcome, measurement } = await sessionUnderTest(t);
  const signer = (rest: string): string => `signer: {mrsigner: ${'09'.repeat(32)}, ${rest}}`;
  const variants: readonly [string, string, boolean][] = [
    ['exact', `{${signer('isvprodid: 7, isvsvn: 3')}}`, true],
    ['range', `{${signer('isvprodid: 7, isvsvn_min: 2, isvsvn_max: 3')}}`, true],
    ['below', `{${signer('isvprodid: 7, isvsvn_min: 4')}}`, false],
    ['product', `{${signer('isvprodid: 8, isvsvn: 3')}}`, false],
    ['both', `{mrenclave: ${measurement}, ${signer('isvprodid: 7, isvsvn: 3')}}`, true],
    ['half', `{mrenclave: ${other}, ${signer('isvprodid: 7, isvsvn: 3')}}`, false],
    ['halb', `{mrenclave: ${measurement}, ${signer('isvprodid: 7, isvsvn: 4')}}`, false],
    ['or', `[{mrenclave: ${other}}, {${signer('isvprodid: 7, isvsvn: 3')}}]`, true],
  ];
  for (const [name, variant, accepted] of variants) {
    await write({ name, service: `    attestation: ${variant}\n` });
    const found = await outcome(name, { keys: await clientKeys(name) });
    assert.equal(found === 'configured', accepted, `${name}: ${found}`);
    if (!accepted) assert.match(found, /Unexpected enclave (?:signer|measurement)/);
  }
});

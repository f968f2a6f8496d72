import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { issueAmdCollateral } from '@ensconce/simulation/amd/collateral';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import {
  issueIntelCollateral,
  serialOf,
  type CollateralRequest,
} from '@ensconce/simulation/intel/collateral';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeSnpReport } from '@ensconce/simulation/snp/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { encodeIntelBundle } from '@ensconce/verify/intel/collateral';
import type { IntelStatus } from '@ensconce/verify/intel/status';
import { pemEncode } from '@ensconce/x509/pem';
import { shell, type Result, type Shell } from '../test/shell.ts';

const now = new Date();
const day = 86_400_000;
const intel = await makeIntelAuthority(now);
const platform = await makePlatform(intel, now);
const reportData = new Uint8Array(64).fill(5);
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 1,
  isvsvn: 1,
  reportData,
};

/** A bundle in which the platform's newest level has `status`. */
async function bundle(
  tee: 'sgx' | 'tdx',
  status: IntelStatus,
  change: Partial<CollateralRequest> = {},
): Promise<string> {
  const tcb = upToDateTcb(platform, tee, now);
  const levels = tcb.levels.map((level) => ({
    ...level,
    status,
    ...(status === 'UpToDate' ? {} : { advisories: ['INTEL-SA-00001'] }),
  }));
  const dates = { issued: new Date(now.getTime() - 60_000), next: new Date(now.getTime() + 30 * day) };
  return encodeIntelBundle(
    await issueIntelCollateral(intel, {
      dates,
      tcb: { ...tcb, levels },
      ca: 'platform',
      crlNumber: 1,
      ...change,
    }),
  );
}

interface User extends Shell {
  /** Writes a file and gives its path. */
  readonly file: (name: string, content: string | Uint8Array) => string;
  readonly verify: (
    ...argv: string[]
  ) => Promise<Result & { readonly report: Readonly<Record<string, unknown>> }>;
}

type Test = Parameters<typeof shell>[0];

function user(t: Test): User {
  const typed = shell(t);
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(typed.folder, name);
    writeFileSync(path, content);
    return path;
  };
  const root = file('root.pem', pemEncode(intel.root.certificate, 'CERTIFICATE'));
  return {
    ...typed,
    file,
    verify: async (...argv) => {
      const result = await typed.run(
        'evidence',
        'verify',
        ...argv,
        '--json',
        '--insecure-simulated-root',
        root,
      );
      return {
        ...result,
        report: result.stdout === '' ? {} : (JSON.parse(result.stdout) as Record<string, unknown>),
      };
    },
  };
}

void test('what cannot be read is wrong usage: exit code 2, nothing on stdout, a reason', async (t) => {
  const { verify, file, folder, run } = user(t);
  const quote = file('quote', makeSgxQuote(platform, enclave));
  const good = file('bundle.json', await bundle('sgx', 'UpToDate'));
  const cases = [
    [join(folder, 'missing')],
    [folder],
    [quote, '--collateral', join(folder, 'missing')],
    [quote, '--collateral', file('text', 'hello')],
    [quote, '--collateral', good, '--policy', join(folder, 'missing')],
    [quote, '--collateral', good, '--policy', file('list.yml', '- a')],
    [quote, '--collateral', good, '--policy', file('unknown.yml', 'unknown: 1')],
    [quote, '--collateral', good, '--policy', file('half.yml', '{')],
    [quote, '--collateral', good, '--at', 'yesterday'],
    [quote, '--insecure-simulated-root', join(folder, 'missing')],
    [quote, '--unknown'],
    [],
  ];
  for (const argv of cases) {
    const { code, stdout, stderr } = await verify(...argv);
    assert.equal(code, 2, `${argv.join(' ')}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, /^error: /);
  }
  assert.equal((await run('evidence', 'show', join(folder, 'missing'))).code, 2);
});

void test('a TCB status is told in the words of Intel; up to date alone is accepted', async (t) => {
  const { verify, file } = user(t);
  const quotes = {
    sgx: file('sgx', makeSgxQuote(platform, enclave)),
    tdx: file('tdx', makeTdxQuote(platform, { reportData })),
  };
  for (const tee of ['sgx', 'tdx'] as const) {
    for (const status of ['UpToDate', 'OutOfDate', 'ConfigurationNeeded', 'Revoked'] as const) {
      const collateral = file('bundle.json', await bundle(tee, status));
      const { code, report, stderr } = await verify(quotes[tee], '--collateral', collateral);
      const good = status === 'UpToDate';
      assert.equal(code, good ? 0 : 10, status);
      assert.equal(report['verdict'], good ? 'accepted' : 'not-accepted');
      assert.equal(report['tee'], tee);
      assert.equal(report['tcbStatus'], status);
      assert.deepEqual(report['advisories'], good ? [] : ['INTEL-SA-00001']);
      assert.equal(report['identityChecked'], false);
      assert.match(stderr, /identity not checked/);
      assert.equal((report['claims'] as { reportData: string }).reportData, '05'.repeat(64));
      const checks = report['checks'] as { ok: boolean; expected: string; found: string; hint?: string }[];
      assert.ok(checks.length > 5);
      for (const check of checks.filter((one) => !one.ok))
        assert.ok(check.expected && check.found && check.hint);
    }
  }
});

void test('a platform that no level matches is TcbNotSupported, and not accepted', async (t) => {
  const { verify, file } = user(t);
  const tcb = upToDateTcb(platform, 'sgx', now);
  const levels = tcb.levels.map((level) => ({ ...level, pceSvn: level.pceSvn + 1 }));
  const collateral = file('bundle.json', await bundle('sgx', 'UpToDate', { tcb: { ...tcb, levels } }));
  const quote = file('quote', makeSgxQuote(platform, enclave));
  const { code, report } = await verify(quote, '--collateral', collateral);
  assert.equal(code, 10);
  assert.equal(report['tcbStatus'], 'TcbNotSupported');
  assert.equal(report['verdict'], 'not-accepted');
});

void test('a debug enclave is genuine and not accepted', async (t) => {
  const { verify, file } = user(t);
  const quote = file('quote', makeSgxQuote(platform, { ...enclave, debug: true }));
  const { code, report } = await verify(
    quote,
    '--collateral',
    file('bundle.json', await bundle('sgx', 'UpToDate')),
  );
  assert.deepEqual([code, report['verdict'], report['tcbStatus']], [10, 'not-accepted', 'UpToDate']);
});

void test('what is false is not genuine, and has no claims and no TCB status', async (t) => {
  const { verify, file } = user(t);
  const good = await bundle('sgx', 'UpToDate');
  const quote = makeSgxQuote(platform, enclave);
  const cases: [string, Uint8Array, string][] = [
    ['signature', makeSgxQuote(platform, enclave, { wrongQuoteSignature: true }), good],
    ['trailing bytes', Uint8Array.of(...quote, 0), good],
    ['cut off', quote.subarray(0, -1), good],
    ['no evidence', new TextEncoder().encode('hello'), good],
    ['revoked', quote, await bundle('sgx', 'UpToDate', { revokedPcks: [serialOf(platform.pck)] })],
    [
      'unsigned statement',
      quote,
      await bundle('sgx', 'UpToDate', { faults: { wrongTcbInfoSignature: true } }),
    ],
  ];
  for (const [what, bytes, collateral] of cases) {
    const { code, report } = await verify(
      file('quote', bytes),
      '--collateral',
      file('bundle.json', collateral),
    );
    assert.equal(code, 11, what);
    assert.deepEqual(
      [report['verdict'], report['tcbStatus'], report['claims']],
      ['not-genuine', null, null],
      what,
    );
  }
  const padded = file('padded', Uint8Array.of(...quote, 0));
  const collateral = file('bundle.json', good);
  assert.equal((await verify(padded, '--collateral', collateral, '--allow-trailing')).code, 0);
});

void test('collateral that is missing, of another platform or out of its dates leaves it undetermined', async (t) => {
  const { verify, file, folder } = user(t);
  const quote = file('quote', makeSgxQuote(platform, enclave));
  const good = file('bundle.json', await bundle('sgx', 'UpToDate'));
  mkdirSync(join(folder, 'empty'));
  const other = { ...upToDateTcb(platform, 'sgx', now), fmspc: '000000000000' };
  for (const argv of [
    [quote],
    [quote, '--collateral', join(folder, 'empty')],
    [quote, '--collateral', file('tdx.json', await bundle('tdx', 'UpToDate'))],
    [quote, '--collateral', file('other.json', await bundle('sgx', 'UpToDate', { tcb: other }))],
    [quote, '--collateral', good, '--at', new Date(now.getTime() + 40 * day).toISOString()],
    [quote, '--collateral', good, '--at', String(Math.floor((now.getTime() - day / 2) / 1000))],
  ]) {
    const { code, report } = await verify(...argv);
    assert.equal(code, 12, argv.join(' '));
    assert.deepEqual([report['verdict'], report['tcbStatus']], ['undetermined', null]);
  }
});

void test('a report of SEV-SNP has no TCB status, and what was not checked is said', async (t) => {
  const { verify, file, folder } = user(t);
  const amd = await makeAmdAuthority('Milan', now, 2048);
  const chip = await makeChip(amd, now);
  const { certificates } = await issueAmdCollateral(amd, chip, {
    issued: new Date(now.getTime() - 60_000),
    next: new Date(now.getTime() + day),
    number: 1,
  });
  const collateral = join(folder, 'amd');
  mkdirSync(collateral);
  certificates.forEach((der, i) => writeFileSync(join(collateral, `${i}.der`), der));
  const root = file('ark.pem', pemEncode(amd.ark.certificate, 'CERTIFICATE'));
  const report = file('report', makeSnpReport(chip, { reportData }));
  const options = ['--collateral', collateral, '--insecure-simulated-root', root];
  const found = await verify(report, ...options);
  assert.equal(found.code, 0, found.stdout);
  assert.deepEqual(
    [found.report['verdict'], found.report['tee'], found.report['tcbStatus']],
    ['accepted', 'snp', null],
  );
  const notes = (found.report['notes'] as string[]).join('\n');
  assert.match(notes, /minimum TCB not checked/);
  assert.match(notes, /revocation not checked/);
});

void test('a policy pins the code; without the word simulation it does not accept a simulated vendor', async (t) => {
  const { verify, file, run } = user(t);
  const quote = file('quote', makeSgxQuote(platform, enclave));
  const collateral = file('bundle.json', await bundle('sgx', 'UpToDate'));
  const identity = `sgx: [{ mrenclave: "${'01'.repeat(32)}" }]\n`;
  const judged = (policy: string): ReturnType<User['verify']> =>
    verify(quote, '--collateral', collateral, '--policy', file('policy.yml', policy));
  const accepted = await judged(`acceptSimulation: true\n${identity}`);
  assert.deepEqual([accepted.code, accepted.report['identityChecked']], [0, true]);
  assert.equal((await judged(identity)).code, 10);
  assert.equal((await judged('acceptSimulation: true\n')).code, 10);
  assert.equal((await run('evidence', 'verify', quote, '--collateral', collateral)).code, 11);
});

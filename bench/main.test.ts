import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });
}

void test('--help lists the benchmarks, or what one of them takes', () => {
  const all = bench('--help');
  assert.equal(all.status, 0);
  for (const name of ['start', 'image', 'volume', 'volume-memory', 'cas', 'evidence', 'audit'])
    assert.match(all.stdout, new RegExp(`^  npm run bench -- ${name}( |$)`, 'm'));
  const one = bench('volume', '--quick', '--help');
  assert.deepEqual([one.status, one.stderr], [0, '']);
  assert.match(one.stdout, /^usage:\n {2}npm run bench -- volume \[--quick\].*\n.*\n$/);
});

void test('misuse is answered with what was expected, the usage and exit code 2, and nothing is measured', () => {
  for (const [args, reason] of [
    [[], /^bench: start or .* expected, nothing found\nusage:/],
    [['toString'], /^bench: start or .* expected, toString found\nusage:/],
    [['volume', '--fast'], /^bench: Unknown option '--fast'.*\nusage:\n {2}npm run bench -- volume /],
    [['volume', 'quick'], /^bench: Unexpected argument 'quick'/],
    [['volume', '--runs', '0'], /^bench: --runs: a whole number from 1 to 1000 expected, 0 found\n/],
    [['volume', '--rows', 'untar,nothing'], /^bench: --rows: .*untar.* expected, nothing found\n/],
    [['volume-memory', '--runs', '-1'], /^bench: .*--runs/],
    [['cas', '5'], /^bench: STARTS: a whole number from 100 to 100000 expected, 5 found\n/],
    [['cas', '100', '5'], /^bench: at most 1 argument expected, 5 found\n/],
    [
      ['cas', '--stored', 'many'],
      /^bench: --stored: a whole number from 100 to 10000000 expected, many found\n/,
    ],
    [['cas', '--stored', '100', '1000'], /^bench: no arguments expected, 1000 found\n/],
    [['start', 'soon'], /^bench: RUNS: a whole number/],
    [['audit', '1e9'], /^bench: RECORDS: a whole number/],
    [['image', 'oci:folder', '3'], /^bench: image: oci:DIR:TAG expected, oci:folder found\n/],
    [['image', 'python'], /^bench: image: oci:DIR:TAG expected, python found\n/],
    [['evidence', 'sgx'], /^bench: no arguments expected, sgx found\n/],
  ] as const) {
    const { status, stdout, stderr } = bench(...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, reason);
    assert.doesNotMatch(stderr, /^ +at /m, 'no stack trace');
    assert.equal(stdout, '');
  }
});

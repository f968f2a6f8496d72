import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CliError } from './errors.ts';
import { exitCodeHelp, exitCodeOf, exitCodes } from './exit-codes.ts';

const documented = readFileSync(new URL('../../../docs/reference/exit-codes.md', import.meta.url), 'utf8');

void test('the document, --help and the code name the same exit codes with the same words', () => {
  const [command = ''] = documented.split('## A confidential container');
  const rows = [...command.matchAll(/^\| (\d+) +\| (.+?) +\|$/gm)].map(([, code, meaning]) => [
    code,
    meaning,
  ]);
  const help = [...exitCodeHelp.matchAll(/^ +(\d+) +(.+)$/gm)].map(([, code, meaning]) => [code, meaning]);
  assert.deepEqual(rows, help);
  assert.deepEqual(
    rows.map(([code]) => Number(code)),
    Object.values(exitCodes),
  );
});

void test('errors have the exit codes that scripts rely on', () => {
  assert.equal(exitCodeOf(new Error('any')), 1);
  assert.equal(exitCodeOf(new CliError('CLI_USAGE', 'usage')), 2);
  assert.equal(exitCodeOf(new CliError('CLI_CAS_UNTRUSTED', 'other')), 4);
  assert.equal(exitCodeOf(new CliError('CLI_CAS_NOT_ATTESTED', 'none')), 4);
  assert.equal(exitCodeOf(new CliError('CLI_FILE', 'file')), 1);
});

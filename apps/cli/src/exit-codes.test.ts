import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CliError, type CliErrorCode } from './errors.ts';
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

void test('what is wrong with an audit log has the exit code that SCONE gives it', () => {
  const section = documented.split('## An audit log')[1] ?? '';
  const codes = [...section.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
  const errors: CliErrorCode[] = [
    'CLI_AUDIT_LOG_COMMIT_LOST',
    'CLI_AUDIT_LOG_CUT_AT_END',
    'CLI_AUDIT_LOG_CUT_AT_START',
    'CLI_AUDIT_LOG_END_UNKNOWN',
    'CLI_AUDIT_LOG_MISSING',
    'CLI_AUDIT_LOG_ROLLED_BACK',
    'CLI_AUDIT_LOG_OTHER_CAS',
    'CLI_AUDIT_LOG_BROKEN',
  ];
  assert.deepEqual(codes, [0, ...errors.map((code) => exitCodeOf(new CliError(code, 'log')))]);
  assert.deepEqual(codes, [0, 10, 14, 15, 16, 17, 18, 19, 20]);
});

void test('errors have the exit codes that scripts rely on', () => {
  assert.equal(exitCodeOf(new Error('any')), 1);
  assert.equal(exitCodeOf(new CliError('CLI_USAGE', 'usage')), 2);
  assert.equal(exitCodeOf(new CliError('CLI_CAS_UNTRUSTED', 'other')), 4);
  assert.equal(exitCodeOf(new CliError('CLI_CAS_NOT_ATTESTED', 'none')), 4);
  assert.equal(exitCodeOf(new CliError('CLI_FILE', 'file')), 1);
});

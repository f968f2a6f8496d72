import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startError, type Application } from './application.ts';

const startFailed = 125;
const { EACCES, ENOENT, ENOEXEC, EPERM } = constants.errno;

function startFailure(program: string, report: string): ReturnType<typeof startError> {
  const application: Application = {
    root: '/',
    command: [program],
    environment: {},
    directory: '/',
    user: { uid: 0, gid: 0, groups: [], home: '/' },
    capabilities: 0n,
  };
  return startError(application, report);
}

/** The table of a container's exit codes in docs/reference/exit-codes.md. */
const documented = readFileSync(
  new URL('../../../docs/reference/exit-codes.md', import.meta.url),
  'utf8',
).split('## A confidential container')[1];

void test('a command that is not there ends with 127, one that cannot be run with 126', () => {
  const missing = startFailure('/bin/absent', `exec ${ENOENT}\n`);
  assert.equal(missing.status, 127);
  assert.match(missing.error.message, /"\/bin\/absent" or its interpreter is not in it/);
  for (const errno of [EACCES, ENOEXEC]) assert.equal(startFailure('x', `exec ${errno}\n`).status, 126);
  assert.match(startFailure('x', `exec ${EACCES}`).error.message, /cannot be run: EACCES/);
});

void test('any other step ends with 125, and says what the container lacks', () => {
  const failure = startFailure('x', `namespaces ${EPERM}\n`);
  assert.equal(failure.status, startFailed);
  assert.match(failure.error.message, /failed at namespaces: EPERM/);
  assert.match(failure.error.hint ?? '', /CAP_SYS_ADMIN/);
  for (const report of ['', '\n', 'exec', 'garbage', 'uid 9999', 'toString 1'])
    assert.ok([startFailed, 126].includes(startFailure('x', report).status), report);
});

void test('the exit codes are those of the document', () => {
  for (const code of [startFailed, 126, 127])
    assert.match(documented ?? '', new RegExp(`^\\| ${code} `, 'm'));
  for (const name of ['launch', 'init']) {
    const source = readFileSync(new URL(`../launch/${name}.c`, import.meta.url), 'utf8');
    assert.match(source, /#define FAILED 70\n/);
  }
  assert.match(documented ?? '', /^\| 70 /m);
});

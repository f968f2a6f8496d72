import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { RuntimeError } from './errors.ts';
import { describeFailure } from './log.ts';

void test('a failure is told in one line, with its causes and what to do', () => {
  const error = new RuntimeError('CAS_REFUSED', 'CAS refused', {
    cause: new Error('outer', { cause: new Error('inner') }),
    hint: 'ask the owner',
  });
  assert.equal(
    describeFailure(error),
    [
      '[ENSCONCE|FATAL] CAS refused (CAS_REFUSED)',
      '  Caused by: outer',
      '  Caused by: inner',
      'hint: ask the owner',
    ].join('\n'),
  );
  assert.equal(describeFailure(new Error('alone')), '[ENSCONCE|FATAL] alone');
});

const log = new URL('./log.ts', import.meta.url).href;

function stderrOf(script: string, redirection: string): string {
  const line = `"$0" --input-type=module -e "$1" ${redirection}`;
  return execFileSync(
    '/bin/sh',
    ['-c', line, process.execPath, `const { makeLog } = await import('${log}'); ${script}`],
    {
      encoding: 'utf8',
    },
  );
}

void test('lines above the threshold are not written', () => {
  const written = stderrOf(
    "const log = makeLog('WARNING'); log('ERROR', 'a'); log('WARNING', 'b'); log('INFO', 'c');",
    '2>&1',
  );
  assert.equal(written, '[ENSCONCE|ERROR] a\n[ENSCONCE|WARNING] b\n');
});

void test('a standard error that takes nothing ends nothing', () => {
  const script = "makeLog('INFO')('INFO', 'lost'); console.log('goes on');";
  assert.equal(stderrOf(script, '2>/dev/full'), 'goes on\n');
});

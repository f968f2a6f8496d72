import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { shell } from '../test/shell.ts';

const any = '127.0.0.1:0';
const ports = ['--listen-client', any, '--listen-service', any];

void test('a CAS with --metrics-listen says where its metrics are, and one without has none', async (t) => {
  const { folder, start } = shell(t);
  const state = (name: string): string[] => ['--state', join(folder, name), '--log-level', 'silent'];
  const watched = await start(
    'cas',
    'serve',
    ...state('a'),
    ...ports,
    '--json',
    '--metrics-listen',
    any,
    '--max-sessions',
    '7',
  );
  const { metrics } = v.parse(v.object({ metrics: v.string() }), JSON.parse(watched.stdout));
  const scraped = await (await fetch(`http://${metrics}/metrics`)).text();
  assert.match(scraped, /^ensconce_cas_ready 1$/m);
  assert.match(scraped, /^ensconce_cas_sessions_limit 7$/m);
  assert.match(scraped, /^nodejs_eventloop_lag_seconds /m);
  const { code } = await watched.stop();
  assert.equal(code, 0);
  await assert.rejects(fetch(`http://${metrics}/metrics`), 'the listener ends with CAS');
  const unwatched = await start('cas', 'serve', ...state('b'), ...ports, '--json');
  assert.equal('metrics' in (JSON.parse(unwatched.stdout) as object), false);
});

void test('a number of sessions that is none is refused before anything is opened', async (t) => {
  const { folder, run } = shell(t);
  for (const wrong of ['0', '-1', '1e6', 'many']) {
    const { code, stderr } = await run(
      'cas',
      'serve',
      '--state',
      join(folder, 'state'),
      '--max-sessions',
      wrong,
    );
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--max-sessions .*A number from 1 expected/);
  }
  assert.equal(existsSync(join(folder, 'state')), false);
});

void test('a wrong address for traces is refused before anything is opened', async (t) => {
  const { folder, run } = shell(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' });
  const state = ['--state', join(folder, 'state')];
  for (const option of [[], ['--otlp-endpoint', 'grpc://collector:4317']]) {
    const { code, stderr } = await run('cas', 'serve', ...state, ...ports, ...option);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /OTLP endpoint: an http or https URL expected/);
  }
});

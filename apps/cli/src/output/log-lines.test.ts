import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino, type Logger } from 'pino';
import { LogLines } from './log-lines.ts';

function opened(): { readonly lines: LogLines; readonly log: Logger; readonly out: string[] } {
  const out: string[] = [];
  const lines = new LogLines((text) => out.push(text));
  return { lines, log: pino({ base: {}, timestamp: false }, lines), out };
}

const messages = (texts: readonly string[]): string[] =>
  texts
    .join('')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

void test('lines that come together leave together, by themselves and in order', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, out } = opened();
  log.info('a');
  log.info('b');
  assert.deepEqual(out, []);
  t.mock.timers.tick(50);
  assert.deepEqual([out.length, messages(out)], [1, ['a', 'b']]);
  log.info('c');
  t.mock.timers.tick(50);
  assert.deepEqual(messages(out), ['a', 'b', 'c']);
});

void test('a warning leaves at once, after what came before it', () => {
  const { log, out } = opened();
  log.info('a');
  log.warn('b');
  assert.deepEqual([out.length, messages(out)], [1, ['a', 'b']]);
  log.child({ of: 'a child' }).fatal('c');
  assert.deepEqual(messages(out), ['a', 'b', 'c']);
});

void test('what waits is bounded, and can be let go', () => {
  const { lines, log, out } = opened();
  for (let i = 0; i < 100; i++) log.info('x'.repeat(1000));
  assert.equal(out.length, 1);
  lines.flush();
  assert.equal(messages(out).length, 100);
  lines.flush();
  assert.equal(out.length, 2);
});

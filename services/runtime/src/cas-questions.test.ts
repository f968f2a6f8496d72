import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duplexPair } from 'node:stream';
import * as v from 'valibot';
import type { Json } from '@ensconce/base/json';
import { FrameConnection } from '@ensconce/wire/frames';
import { volumeQuestion, type VolumeQuestion } from '@ensconce/wire/volume-tags';
import { CasQuestions } from './cas-questions.ts';

/** Questions, and the other end of their connection. */
function open(
  timeout = 2000,
  onSuperseded?: () => void,
): {
  questions: CasQuestions;
  cas: FrameConnection;
  next: () => Promise<VolumeQuestion>;
  /** Breaks the connection. */
  sever: () => void;
} {
  const [here, there] = duplexPair();
  const cas = new FrameConnection(there, 'service', 65_536);
  return {
    questions: new CasQuestions(new FrameConnection(here, 'CAS', 65_536), timeout, onSuperseded),
    cas,
    sever: () => here.destroy(),
    next: async () => v.parse(volumeQuestion, await cas.receive(2000)),
  };
}

const read = (volume: string) => ({ type: 'volume-read', volume }) as const;
const state = (id: number, epoch: number): Json => ({ type: 'volume-state', id, tag: null, epoch });

void test('answers find their questions in any order', async () => {
  const { questions, cas, next } = open();
  const [a, b] = [questions.ask(read('a')), questions.ask(read('b'))];
  const [first, second] = [await next(), await next()];
  assert.deepEqual([first.volume, second.volume], ['a', 'b']);
  cas.send(state(second.id, 2));
  cas.send(state(first.id, 1));
  assert.deepEqual(await a, state(first.id, 1));
  assert.deepEqual(await b, state(second.id, 2));
  assert.equal(questions.failed, false);
});

for (const [name, answer] of Object.entries({
  'of another form': { type: 'volume-state', id: 0 },
  'to nothing that was asked': state(7, 0),
  'that is an event': { type: 'started' },
})) {
  void test(`an answer ${name} ends the connection, and every question with it`, async () => {
    const { questions, cas, next } = open();
    const asked = questions.ask(read('a'));
    await next();
    cas.send(answer);
    await assert.rejects(asked, { code: 'CAS_ANSWER' });
    assert.equal(questions.failed, true);
    await assert.rejects(questions.ask(read('a')), { code: 'CAS_ANSWER' });
  });
}

void test('an answer that does not come in time ends the connection', async () => {
  const { questions, next } = open(50);
  const asked = questions.ask(read('a'));
  await next();
  await assert.rejects(asked, { code: 'CAS_UNREACHABLE' });
  assert.equal(questions.failed, true);
});

void test('a connection that ends takes its questions along', async () => {
  const { questions, next, sever } = open();
  const asked = questions.ask(read('a'));
  await next();
  sever();
  await assert.rejects(asked, { code: 'FRAME_CLOSED' });
  assert.equal(questions.failed, true);
});

void test('CAS says that a newer start counts: it is told on, and every question fails', async () => {
  let told = 0;
  const { questions, cas, next } = open(2000, () => told++);
  const asked = questions.ask(read('a'));
  await next();
  cas.send({ type: 'superseded' });
  await assert.rejects(asked, { code: 'CAS_REFUSED' });
  assert.equal(told, 1);
  assert.equal(questions.failed, true);
});

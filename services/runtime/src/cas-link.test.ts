import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VolumeAnswer } from '@ensconce/wire/volume-tags';
import type { CasSession } from './cas-client.ts';
import { CasLink } from './cas-link.ts';
import { CasTagKeeper } from './cas-tag-keeper.ts';
import type { Question } from './cas-questions.ts';

const tag = new Uint8Array(32).fill(0xab);
const hex = tag.toHex();
const accepted: VolumeAnswer = { type: 'volume-advanced', id: 0, result: 'accepted' };

/** A session that answers so many questions and then fails. */
function session(answers: readonly VolumeAnswer[], asked: Question[] = []): CasSession {
  const left = [...answers];
  let alive = true;
  return {
    get alive() {
      return alive;
    },
    ask: (question) => {
      asked.push(question);
      const answer = left.shift();
      if (answer) return Promise.resolve(answer);
      alive = false;
      return Promise.reject(new Error('the connection broke'));
    },
    configuration: undefined as never,
    simulated: true,
    insecureWithoutEvidence: false,
    send: () => undefined,
    close: () => Promise.resolve(),
  };
}

function link(sessions: (CasSession | Error)[], patience = 5000): Promise<CasLink> {
  const connect = (): Promise<CasSession> => {
    const next = sessions.shift() ?? new Error('CAS is away');
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  return CasLink.open({ connect, log: () => undefined, patience });
}

void test('a question whose answer was lost is asked again after a new attestation', async () => {
  const asked: Question[] = [];
  const cas = await link([session([], asked), new Error('not yet'), session([accepted, accepted], asked)]);
  const keeper = new CasTagKeeper(cas, 'db');
  const both = [keeper.advance(3, tag, tag), keeper.advance(3, tag, tag)];
  assert.deepEqual(await Promise.all(both), ['accepted', 'accepted']);
  assert.deepEqual(asked[0], { type: 'volume-advance', volume: 'db', epoch: 3, from: hex, to: hex });
  assert.equal(asked.filter((question) => question.type === 'volume-advance').length, asked.length);
});

void test('a CAS that stays away is an error, and asked again with the next question', async () => {
  const sessions: (CasSession | Error)[] = [session([])];
  const cas = await link(sessions, 200);
  const keeper = new CasTagKeeper(cas, 'db');
  await assert.rejects(keeper.read(), /CAS is away/);
  sessions.push(session([{ type: 'volume-state', id: 0, tag: null, epoch: 0 }]));
  assert.deepEqual(await keeper.read(), { tag: undefined, epoch: 0 });
});

void test('what CAS refuses or says out of turn is an error at once', async () => {
  const failed: VolumeAnswer = { type: 'volume-failed', id: 0, reason: 'no disk' };
  const cas = await link([session([failed, accepted])]);
  const keeper = new CasTagKeeper(cas, 'db');
  await assert.rejects(keeper.advance(1, tag, tag), { code: 'CAS_REFUSED', message: 'CAS: no disk' });
  await assert.rejects(keeper.read(), {
    code: 'CAS_ANSWER',
    message: /volume-state expected, volume-advanced found/,
  });
});

void test('a volume is closed with the newest state that was settled, and only by a writer', async () => {
  const asked: Question[] = [];
  const closed: VolumeAnswer = { type: 'volume-closed', id: 0 };
  const granted: VolumeAnswer = { type: 'volume-acquired', id: 0, epoch: 5 };
  const cas = await link([session([granted, accepted, closed], asked)]);
  await new CasTagKeeper(cas, 'other').close();
  const keeper = new CasTagKeeper(cas, 'db');
  assert.equal(await keeper.acquire({ tag: undefined, epoch: 4 }, new Uint8Array(32)), 5);
  await keeper.advance(5, new Uint8Array(32), tag);
  await keeper.close();
  assert.deepEqual(
    asked.map(({ type }) => type),
    ['volume-acquire', 'volume-advance', 'volume-close'],
  );
  assert.deepEqual(asked.at(-1), { type: 'volume-close', volume: 'db', epoch: 5, tag: hex });
});

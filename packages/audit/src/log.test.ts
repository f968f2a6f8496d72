import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { attested, chunksOf, read, sha256, WrittenLog } from '../test/written-log.ts';
import { linesOf } from './chain.ts';
import { auditEvent } from './event.ts';
import { judgeLog, type LogJudgement, type LogToJudge } from './log.ts';
import { lineLimit, parseRecord } from './record.ts';
import { writeRecords } from './write.ts';

const judge = (text: string, log: Omit<LogToJudge, 'crypto' | 'sha256' | 'lines'>): Promise<LogJudgement> =>
  judgeLog({ crypto: nodeCrypto, sha256, lines: linesOf(chunksOf(text), lineLimit), ...log });

/** A log of six records: a start, and a session with a change, a release and reads. */
function written(): WrittenLog {
  const log = new WrittenLog();
  log.add({ type: 'Session created', session: 'a', identity: 'me' }, 1);
  log.add(read('a'), 1);
  log.add(attested('b', ['a']), 1);
  log.add(read('a', true), 1);
  log.add({ type: 'Session updated', session: 'a', identity: 'me' }, 2);
  return log;
}

const kindOf = (judgement: LogJudgement): string => judgement.problem?.kind ?? 'holds';

void test('a whole log that continues what was kept holds', async () => {
  const log = written();
  const kept = await log.checkpoint();
  const { end } = await judge(log.text, { casIdentity: log.identity, kept });
  log.add(read('a'), 2);
  log.start(2);
  const judgement = await judge(log.text, { casIdentity: log.identity, kept, last: end });
  assert.equal(judgement.problem, undefined);
  assert.deepEqual(judgement.head, { size: 8, root: log.tree.root });
  assert.equal(judgement.end?.sequence, 8);
});

void test('without anything seen before, the end of a log that holds could be anywhere', async () => {
  const log = written();
  const judgement = await judge(log.text, { casIdentity: log.identity });
  assert.equal(kindOf(judgement), 'end-unknown');
  assert.equal(judgement.end?.sequence, 6);
  const cut = log.text.split('\n').slice(0, 3).join('\n');
  assert.equal(kindOf(await judge(`${cut}\n`, { casIdentity: log.identity })), 'end-unknown');
});

void test('a log that was cut, forked, reordered, changed or taken from elsewhere is told apart', async () => {
  const log = written();
  const kept = await log.checkpoint();
  const lines = log.text.trimEnd().split('\n');
  const last = { sequence: 6, hash: 'f'.repeat(64) };
  const [one = '', two = '', three = '', four = '', five = '', six = ''] = lines;
  const other = written();
  const cases: [string, string, string[], Partial<LogToJudge>?][] = [
    ['records at the end are gone', 'cut-at-end', [one, two, three]],
    ['records at the start are gone', 'cut-at-start', [three, four, five, six]],
    ['a record in between is gone', 'missing', [one, two, four, five, six]],
    ['two records changed places', 'broken', [one, three, two, four, five, six].slice(1)],
    ['a record twice', 'broken', [one, two, two, three]],
    [
      'another session name',
      'broken',
      [one, two.replace('"session":"a"}', '"session":"x"}'), three, four, five, six],
    ],
    ['the newest record changed', 'broken', [one, two, three, four, five, six.replace('"me"', '"you"')]],
    ['another encoding of the same', 'broken', [one, two, three, four, five, six.replace(':', ': ')]],
    ['no JSON', 'broken', [one, 'x']],
    ['nothing', 'broken', []],
    ['of another CAS', 'wrong-cas', other.text.trimEnd().split('\n')],
    ['the end of another CAS', 'broken', [one, two, three, ...other.text.trimEnd().split('\n').slice(3)]],
    ['another record was seen there', 'replaced', lines, { last }],
  ];
  for (const [what, expected, changed, more] of cases) {
    const text = changed.map((line) => `${line}\n`).join('');
    const judgement = await judge(text, { casIdentity: log.identity, kept, key: await log.key(), ...more });
    assert.equal(kindOf(judgement), expected, `${what}: ${judgement.problem?.reason}`);
  }
});

void test('another history of the same CAS shows to who kept a checkpoint', async () => {
  const log = written();
  const fork = new WrittenLog({ log, records: log.lines.length });
  log.add(read('a'), 2);
  fork.add(read('a', true), 2);
  fork.add(read('a'), 2);
  const kept = await log.checkpoint();
  const judgement = await judge(fork.text, { casIdentity: log.identity, kept });
  assert.equal(kindOf(judgement), 'replaced');
});

void test('a log without its beginning is told from a replaced one, however long it is', async () => {
  const log = new WrittenLog();
  const kept = await log.checkpoint();
  for (let i = 0; i < 9; i++) log.add(read('a'));
  const text = log.text.split('\n').slice(4).join('\n');
  const judgement = await judge(text, { casIdentity: log.identity, kept, key: await log.key() });
  assert.equal(kindOf(judgement), 'cut-at-start');
});

void test('a database that was put back shows in the log at the next start', async () => {
  const single = written();
  single.start(1);
  assert.equal(
    kindOf(await judge(single.text, { casIdentity: single.identity, kept: await single.checkpoint() })),
    'one-commit-lost',
  );
  const { end } = await judge(single.text, { casIdentity: single.identity });
  const later = await judge(single.text, { casIdentity: single.identity, last: end });
  assert.equal(later.problem?.reason, undefined);
  const back = written();
  back.add(read('a'), 2);
  back.start(1);
  const judgement = await judge(back.text, { casIdentity: back.identity, kept: await back.checkpoint() });
  assert.equal(kindOf(judgement), 'rolled-back');
});

void test('records that are not numbered through for their session are not a log of CAS', async () => {
  const log = written();
  log.add(read('a'), 2, (places) => places.map((place) => ({ ...place, number: place.number + 1 })));
  assert.equal(kindOf(await judge(log.text, { casIdentity: log.identity })), 'broken');
  const hidden = written();
  hidden.add(attested('b', ['a']), 2, (places) => places.slice(0, 1));
  const judgement = await judge(hidden.text, { casIdentity: hidden.identity });
  assert.match(judgement.problem?.reason ?? '', /the sessions that the event concerns expected, b found/);
});

void test('a torn last line was never acknowledged and does not count', async () => {
  const log = written();
  const kept = await log.checkpoint();
  const judgement = await judge(`${log.text}{"at":"20`, { casIdentity: log.identity, kept });
  assert.equal(judgement.problem, undefined);
});

void test('records that were written together are held by the signature of the last', async () => {
  const log = written();
  log.addUnsigned(read('a'), 2);
  log.addUnsigned(attested('b', ['a']), 2);
  log.add(read('b'), 2);
  const kept = await log.checkpoint();
  const { end, problem } = await judge(log.text, { casIdentity: log.identity, kept });
  assert.deepEqual([problem, end?.sequence], [undefined, 9]);
  const lines = log.text.trimEnd().split('\n');
  const text = (count: number): string =>
    lines
      .slice(0, count)
      .map((line) => `${line}\n`)
      .join('');
  // The write was cut short, so none of it counts, and who saw it whole notices.
  const cut = await judge(text(8), { casIdentity: log.identity });
  assert.deepEqual([kindOf(cut), cut.end?.sequence], ['end-unknown', 6]);
  assert.equal(kindOf(await judge(text(8), { casIdentity: log.identity, kept })), 'cut-at-end');
  const changed = text(9).replace('"service":"app"', '"service":"axp"');
  assert.equal(kindOf(await judge(changed, { casIdentity: log.identity })), 'broken');
  assert.equal(kindOf(await judge(`${text(7)}no record\n`, { casIdentity: log.identity })), 'broken');
});

void test('no more records go without a signature than CAS writes together', async () => {
  const log = written();
  for (let i = 0; i < writeRecords - 1; i++) log.addUnsigned(read('a'), 2);
  log.add(read('a'), 2);
  assert.equal(kindOf(await judge(log.text, { casIdentity: log.identity })), 'end-unknown');
  const more = written();
  for (let i = 0; i < writeRecords; i++) more.addUnsigned(read('a'), 2);
  more.add(read('a'), 2);
  const { problem } = await judge(more.text, { casIdentity: more.identity });
  assert.match(problem?.reason ?? '', /a signature after at most 1024 records/);
});

void test('an event that a newer CAS writes does not break the log', async () => {
  const log = written();
  const event = { type: 'Moon landed', session: 'a' } as never;
  log.add(event, 5, () => [{ session: 'a', number: 6, previous: 6 }]);
  const judgement = await judge(log.text, { casIdentity: log.identity, kept: await log.checkpoint() });
  assert.equal(judgement.problem?.reason, undefined);
});

void test('no change of a byte goes unseen', async () => {
  const log = written();
  const kept = await log.checkpoint();
  const bytes = Buffer.from(log.text);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] as number) ^ by;
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield await Promise.resolve(copy);
      }
      const judgement = await judgeLog({
        crypto: nodeCrypto,
        sha256,
        lines: linesOf(chunks(), lineLimit),
        casIdentity: log.identity,
        kept,
      });
      assert.notEqual(judgement.problem, undefined);
    }),
    { numRuns: 400 },
  );
});

void test('no bytes make the reader of records fail in another way than it says', () => {
  const [line = new Uint8Array()] = written().lines;
  const text = Buffer.from(line).toString();
  const safe = (bytes: Uint8Array): void => {
    try {
      parseRecord(bytes);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'AUDIT_FORM', String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), safe));
  fc.assert(fc.property(fc.json(), (json) => safe(Buffer.from(json))));
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), fc.string(), (at, length, put) =>
      safe(Buffer.from(text.slice(0, at) + put + text.slice(at + length))),
    ),
    { numRuns: 1000 },
  );
});

void test('a log of the first format still holds', async () => {
  const text = readFileSync(
    new URL('../../../test/golden/audit/ensconce-audit-1.jsonl', import.meta.url),
    'utf8',
  );
  const casIdentity = '18ad2e3de6b15bf85f7c4e4d73a899068a7ea9679f7687f1bf7f4163e3c73e02';
  const { end, problem } = await judge(text, { casIdentity });
  assert.equal(problem?.kind, 'end-unknown');
  const again = await judge(text, { casIdentity, last: end });
  assert.equal(again.problem?.reason, undefined);
  assert.equal(again.end?.sequence, 11);
  assert.equal(again.head, undefined);
  const changed = await judge(text.replace('"app"', '"axp"'), { casIdentity, last: end });
  assert.equal(kindOf(changed), 'broken');
  const mixed = await judge(`${text}${written().text}`, { casIdentity });
  assert.equal(kindOf(mixed), 'broken');
});

const supported = {
  'ensconce-audit-2.jsonl': {
    casIdentity: '27447cfb653fb0e3b0482f2a7442fd1ed259f8467b52aab85a39261fa779e383',
    last: { sequence: 11, hash: 'b048f62b5f5a21a506101c69c012da069e90f4db1d2a2f93b75f5661003eb491' },
    root: 'DGnHMu6XdfI8KE3DRjQmrhSALVuEoqpAEHmPFGq4z48=',
  },
  // Its first records are of format 2.
  'ensconce-audit-3.jsonl': {
    casIdentity: '318fc62aeeaecf96615d3468aef49fab619d346bdeec7b6784b7647dbe866d24',
    last: { sequence: 11, hash: 'e1aefe85d041ea45b9022b3b482ce16314c480644cdbe80bba3db180d3c02b8f' },
    root: 'EhWOwcjZy8NvnSPeLcI3PCO+jzusSyu/1EwCukn0H+U=',
  },
};

for (const [name, { casIdentity, last, root }] of Object.entries(supported)) {
  void test(`${name} holds as long as its format is supported`, async () => {
    const text = readFileSync(new URL(`../../../test/golden/audit/${name}`, import.meta.url), 'utf8');
    const unknown: string[] = [];
    const judgement = await judge(text, {
      casIdentity,
      last,
      onRecord: ({ event }) => {
        if (!v.safeParse(auditEvent, event).success) unknown.push(event.type);
      },
    });
    assert.equal(judgement.problem?.reason, undefined);
    assert.equal(Buffer.from(judgement.head?.root ?? []).toString('base64'), root);
    assert.deepEqual(unknown, []);
  });
}

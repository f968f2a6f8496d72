import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Approval, Proposal } from '@ensconce/api/approval';
import { call } from '@ensconce/api/call';
import { postSession, readSession } from '@ensconce/api/client';
import type { CasConnection } from '@ensconce/api/connection';
import { RefusedByCas } from '@ensconce/api/errors';
import { routes } from '@ensconce/api/routes';
import { fromHex } from '@ensconce/base/bytes';
import { keyHashOfCertificate, keyHashOfDigest, keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import {
  addVeto,
  signMessage,
  signChange,
  vetoMessage,
  type SessionChange,
  type SessionSignature,
} from '@ensconce/policy/signature';
import { casUnderTest, clientKeys, type CasUnderTest } from '../../test/cas-under-test.ts';

interface Member {
  readonly privateKey: KeyObject;
  readonly pem: string;
  readonly keyHash: string;
}

function member(): Member {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  return { privateKey, pem, keyHash: keyHashOfPublicKey(pem) };
}

const refused = (code: string) => (error: unknown) => error instanceof RefusedByCas && error.reason === code;

/** A CAS with a session that two of three members may update, and whom its owner lets read. */
class Board {
  readonly members = [member(), member(), member()] as const;
  readonly under: CasUnderTest;
  readonly owner: CasConnection;
  first = '';

  constructor(under: CasUnderTest, owner: CasConnection) {
    this.under = under;
    this.owner = owner;
  }

  static async open(t: TestContext, options: Parameters<typeof casUnderTest>[1] = {}): Promise<Board> {
    const under = await casUnderTest(t, options);
    const board = new Board(under, await under.connect(await clientKeys('owner')));
    board.first = (await postSession(board.owner, board.text())).hash;
    return board;
  }

  text(environment = '{}', predecessor?: string): string {
    const signers = this.members.map(({ pem }) => `{signer: ${JSON.stringify(pem)}}`).join(', ');
    return [
      ...(predecessor === undefined ? [] : [`predecessor: ${predecessor}`]),
      'name: board',
      'version: "0.3.12"',
      `services: [{name: app, command: run, environment: ${environment}, attestation: [{mrenclave: [${'aa'.repeat(32)}]}]}]`,
      `access_policy: {read: [CREATOR], update: [{require-at-least-2: [${signers}]}]}`,
      '',
    ].join('\n');
  }

  propose(environment: string, more: Partial<Proposal> = {}, as = this.owner): Promise<Approval> {
    const body = { session: this.text(environment, this.first), ...more };
    return call(as, routes.proposeSession, { body });
  }

  scope(expires = new Date(Date.now() + 3_600_000)): { cas: string; expires: Date } {
    return { cas: keyHashOfDigest(fromHex(this.under.cas.identity, 32)), expires };
  }

  async changeOf({ name, change, hash, predecessor }: Approval): Promise<SessionChange> {
    if (change === 'update') return { name, hash, predecessor: predecessor ?? undefined };
    const { id } = await readSession(this.owner, name);
    return { name, id, deletes: predecessor ?? '' };
  }

  proposeDeletion(hash = this.first, as = this.owner, lifetime?: number): Promise<Approval> {
    return call(as, routes.proposeDeletion, { parameters: { name: 'board' }, body: { hash, lifetime } });
  }

  async approve(update: Approval, by: Member, signature?: SessionSignature): Promise<Approval> {
    const of = await this.changeOf(update);
    return call(await this.under.connect(), routes.approveSession, {
      parameters: { name: update.name },
      body: { hash: update.hash, signature: signature ?? signChange(of, this.scope(), by.privateKey) },
    });
  }

  async veto(update: Approval, by: Member): Promise<Approval> {
    const scope = this.scope();
    const of = await this.changeOf(update);
    const signature = signMessage(vetoMessage(of, scope), by.privateKey);
    return call(await this.under.connect(), routes.vetoSession, {
      parameters: { name: update.name },
      body: { hash: update.hash, veto: addVeto(of, scope, by.pem, signature) },
    });
  }

  async waiting(as = this.owner): Promise<readonly string[]> {
    const { updates } = await call(as, routes.readApprovals, { parameters: { name: 'board' } });
    return updates.map(({ hash }) => hash);
  }
}

void test('an update counts with the last signature that its rule needs, and not before', async (t) => {
  const board = await Board.open(t);
  const [one, two] = board.members;
  const update = await board.propose('{A: b}');
  assert.deepEqual(
    [update.state, update.signed, update.rule.map(({ depth, satisfied }) => [depth, satisfied])],
    [
      'pending',
      [],
      [
        [0, false],
        [1, false],
        [1, false],
        [1, false],
      ],
    ],
  );
  const view = await call(board.owner, routes.readApprovals, { parameters: { name: 'board' } });
  assert.match(view.updates[0]?.changes.map(({ text }) => text).join('\n') ?? '', /A/);

  const once = await board.approve(update, one);
  assert.deepEqual([once.state, once.signed], ['pending', [one.keyHash]]);
  assert.equal((await board.approve(update, one)).state, 'pending');
  assert.equal((await readSession(board.owner, 'board')).hash, board.first);

  assert.equal((await board.approve(update, two)).state, 'applied');
  const now = await readSession(board.owner, 'board');
  assert.deepEqual([now.hash, now.predecessor], [update.hash, board.first]);
  assert.deepEqual(await board.waiting(), []);
  await assert.rejects(board.approve(update, two), refused('CAS_SESSION_NOT_FOUND'));

  const log = readFileSync(join(board.under.folder, 'state', 'audit.jsonl'), 'utf8');
  assert.match(log, /"type":"Session update proposed"/);
  assert.match(log, /"signers":\["[^"]+","[^"]+"\],"type":"Session updated"/);
});

void test('a no drops an update once the rule cannot be satisfied without who said it, and cannot be taken back', async (t) => {
  const board = await Board.open(t);
  const [one, two, three] = board.members;
  const update = await board.propose('{A: b}');
  assert.equal((await board.veto(update, one)).state, 'pending');
  await assert.rejects(board.approve(update, one), refused('CAS_SIGNATURE_INVALID'));
  await board.approve(update, two);
  assert.equal((await board.veto(update, two)).state, 'vetoed');
  await assert.rejects(board.approve(update, three), refused('CAS_SESSION_NOT_FOUND'));
  assert.equal((await readSession(board.owner, 'board')).hash, board.first);
});

void test('what waits ends with its time, with its signature, with the version it replaces, and when taken back', async (t) => {
  let shift = 0;
  const board = await Board.open(t, { now: () => new Date(Date.now() + shift) });
  const [one, two] = board.members;
  const short = await board.propose('{A: short}', { lifetime: 60 });
  const long = await board.propose('{A: long}');
  const signed = { name: long.name, hash: long.hash, predecessor: board.first };
  const soon = board.scope(new Date(Date.now() + 90_000));
  await board.approve(long, one, signChange(signed, soon, one.privateKey));
  shift = 120_000;
  assert.deepEqual(await board.waiting(), [long.hash]);
  await assert.rejects(board.approve(short, one), refused('CAS_SESSION_NOT_FOUND'));
  const second = await board.approve(long, two);
  assert.deepEqual([second.state, second.signed], ['pending', [two.keyHash]]);

  const other = await board.propose('{A: other}');
  await board.approve(other, one);
  await board.approve(other, two);
  assert.deepEqual(await board.waiting(), []);

  board.first = other.hash;
  const withdrawn = await board.propose('{A: withdrawn}');
  await call(board.owner, routes.withdrawSession, {
    parameters: { name: 'board' },
    query: { hash: withdrawn.hash },
  });
  assert.deepEqual(await board.waiting(), []);
});

void test('strangers neither propose, see, sign nor stop anything, and learn nothing', async (t) => {
  const board = await Board.open(t);
  const [one] = board.members;
  const update = await board.propose('{A: b}');
  const stranger = await board.under.connect(await clientKeys('stranger'));
  const absent = refused('CAS_SESSION_NOT_FOUND');
  await assert.rejects(board.propose('{A: c}', {}, stranger), absent);
  await assert.rejects(board.waiting(stranger), absent);
  await assert.rejects(board.approve(update, member()), absent);
  await assert.rejects(board.veto(update, member()), absent);
  await assert.rejects(board.approve({ ...update, hash: '00'.repeat(32) }, one), absent);
  const withdrawal = { parameters: { name: 'board' }, query: { hash: update.hash } };
  await assert.rejects(call(stranger, routes.withdrawSession, withdrawal), absent);
  const [, two] = board.members;
  const forged = signChange(
    { name: 'board', hash: update.hash, predecessor: board.first },
    board.scope(),
    member().privateKey,
  );
  await assert.rejects(
    board.approve(update, two, { ...forged, signer: two.pem }),
    refused('CAS_SIGNATURE_INVALID'),
  );
  assert.deepEqual(await board.waiting(), [update.hash]);
});

void test('a bounded number of updates waits, each for the version that is present', async (t) => {
  const board = await Board.open(t);
  const hashes: string[] = [];
  for (let n = 0; n < 8; n++) hashes.push((await board.propose(`{A: "${n}"}`)).hash);
  await assert.rejects(board.propose('{A: "8"}'), refused('CAS_APPROVALS_FULL'));
  await assert.rejects(
    board.propose('{A: b}', { session: board.text('{A: b}', '00'.repeat(32)) }),
    refused('CAS_PREDECESSOR_MISMATCH'),
  );
  assert.deepEqual(await board.waiting(), hashes);
});

void test('what waits is still there after a restart', async (t) => {
  const owner = await clientKeys('owner');
  const under = await casUnderTest(t);
  const board = new Board(under, await under.connect(owner));
  board.first = (await postSession(board.owner, board.text())).hash;
  const update = await board.propose('{A: b}');
  await board.approve(update, board.members[0]);
  await under.cas.close();
  const again = await casUnderTest(t, { folder: under.folder });
  const { updates } = await call(await again.connect(owner), routes.readApprovals, {
    parameters: { name: 'board' },
  });
  assert.deepEqual(
    updates.map(({ hash, signed }) => [hash, signed]),
    [[update.hash, [board.members[0].keyHash]]],
  );
});

void test('a deletion counts with the last signature that its rule needs, and a board brings the session back', async (t) => {
  const board = await Board.open(t);
  const [one, two, three] = board.members;
  const { id } = await readSession(board.owner, 'board');
  const deletion = await board.proposeDeletion();
  assert.deepEqual(
    [deletion.change, deletion.state, deletion.predecessor],
    ['deletion', 'pending', board.first],
  );
  assert.notEqual(deletion.hash, board.first);
  const { updates } = await call(board.owner, routes.readApprovals, { parameters: { name: 'board' } });
  assert.deepEqual(
    updates.map((update) => [update.change, update.id, update.session, update.changes]),
    [['deletion', id, null, []]],
  );
  const update = await board.propose('{A: b}');
  assert.deepEqual((await board.waiting()).toSorted(), [deletion.hash, update.hash].toSorted());

  assert.equal((await board.approve(deletion, one)).state, 'pending');
  const version = signChange({ name: 'board', hash: deletion.hash }, board.scope(), two.privateKey);
  await assert.rejects(board.approve(deletion, two, version), refused('CAS_SIGNATURE_INVALID'));
  assert.equal((await readSession(board.owner, 'board')).hash, board.first);
  assert.equal((await board.approve(deletion, two)).state, 'applied');
  await assert.rejects(readSession(board.owner, 'board'), refused('CAS_SESSION_DELETED'));
  assert.deepEqual(await board.waiting(), [], 'what waited for the version that is gone counts no more');
  await assert.rejects(board.approve(update, three), refused('CAS_SESSION_NOT_FOUND'));
  await assert.rejects(board.proposeDeletion(), refused('CAS_SESSION_DELETED'));

  const { versions } = await call(board.owner, routes.readHistory, { parameters: { name: 'board' } });
  board.first = versions[0]?.hash ?? '';
  const again = await board.propose('{A: again}');
  await board.approve(again, one);
  assert.equal((await board.approve(again, three)).state, 'applied');
  assert.equal((await readSession(board.owner, 'board')).id, id);

  const log = readFileSync(join(board.under.folder, 'state', 'audit.jsonl'), 'utf8');
  assert.match(log, /"type":"Session deletion proposed"/);
  assert.match(log, /"type":"Session deletion approved"/);
  assert.match(log, /"signers":\["[^"]+","[^"]+"\],"type":"Session deleted"/);
});

void test('a deletion ends with its time, with a no that it cannot do without, and when taken back', async (t) => {
  let shift = 0;
  const board = await Board.open(t, { now: () => new Date(Date.now() + shift) });
  const [one, two] = board.members;
  const short = await board.proposeDeletion(board.first, board.owner, 60);
  await board.approve(short, one);
  shift = 90_000;
  assert.deepEqual(await board.waiting(), []);
  await assert.rejects(board.approve(short, two), refused('CAS_SESSION_NOT_FOUND'));

  const unwanted = await board.proposeDeletion();
  assert.deepEqual(unwanted.signed, [], 'signatures of before do not come back');
  assert.equal((await board.veto(unwanted, one)).state, 'pending');
  await assert.rejects(board.approve(unwanted, one), refused('CAS_SIGNATURE_INVALID'));
  assert.equal((await board.veto(unwanted, two)).state, 'vetoed');

  const withdrawn = await board.proposeDeletion();
  const withdrawal = { parameters: { name: 'board' }, query: { hash: withdrawn.hash } };
  await call(board.owner, routes.withdrawSession, withdrawal);
  assert.deepEqual(await board.waiting(), []);
  await assert.rejects(board.proposeDeletion('00'.repeat(32)), refused('CAS_PREDECESSOR_MISMATCH'));
  const stranger = await board.under.connect(await clientKeys('stranger'));
  await assert.rejects(board.proposeDeletion(board.first, stranger), refused('CAS_SESSION_NOT_FOUND'));
  assert.equal((await readSession(board.owner, 'board')).hash, board.first);
});

void test('whom only the rule for deletion names sees deletions that wait, and no updates', async (t) => {
  const under = await casUnderTest(t);
  const [owner, deleter] = [await clientKeys('owner'), await clientKeys('deleter')];
  const [asOwner, asDeleter] = [await under.connect(owner), await under.connect(deleter)];
  const text = (more: string): string =>
    `name: app\nversion: "0.3.12"\n${more}ensconce: {delete: [${keyHashOfCertificate(deleter.certificate)}]}\n`;
  const { hash } = await postSession(asOwner, text(''));
  await call(asOwner, routes.proposeSession, { body: { session: text(`predecessor: ${hash}\n`) } });
  const deletion = await call(asDeleter, routes.proposeDeletion, {
    parameters: { name: 'app' },
    body: { hash },
  });
  const waiting = async (as: CasConnection): Promise<readonly string[]> =>
    (await call(as, routes.readApprovals, { parameters: { name: 'app' } })).updates.map(
      ({ change }) => change,
    );
  assert.deepEqual(await waiting(asOwner), ['update', 'deletion']);
  assert.deepEqual(await waiting(asDeleter), ['deletion']);
  const withdrawn = await call(asDeleter, routes.withdrawSession, {
    parameters: { name: 'app' },
    query: { hash: deletion.hash },
  });
  assert.deepEqual(withdrawn.updates, []);
});

void test('a new session outside any namespace waits for an owner of CAS and for who begins it', async (t) => {
  const [owner, other] = [await clientKeys('owner'), await clientKeys('other')];
  const ownerSigning = member();
  const under = await casUnderTest(t, {
    creators: new Set([keyHashOfCertificate(owner.certificate), ownerSigning.keyHash]),
  });
  const [asOwner, asOther] = [await under.connect(owner), await under.connect(other)];
  const begins = member();
  const session = `name: app\nversion: "0.3.12"\ncreator: {signer: ${JSON.stringify(begins.pem)}}\n`;
  await assert.rejects(
    call(asOther, routes.proposeSession, { body: { session } }),
    refused('CAS_SESSION_NOT_FOUND'),
  );
  const proposed = await call(asOwner, routes.proposeSession, { body: { session } });
  const scope = {
    cas: keyHashOfDigest(fromHex(under.cas.identity, 32)),
    expires: new Date(Date.now() + 3_600_000),
  };
  const { name, hash } = proposed;
  const approve = async (key: KeyObject): Promise<Approval['state']> => {
    const signature = signChange({ name, hash }, scope, key);
    const approved = await call(asOther, routes.approveSession, {
      parameters: { name },
      body: { hash, signature },
    });
    return approved.state;
  };
  await assert.rejects(approve(member().privateKey), refused('CAS_SESSION_NOT_FOUND'));
  assert.equal(await approve(begins.privateKey), 'pending');
  await assert.rejects(
    call(asOther, routes.readApprovals, { parameters: { name } }),
    refused('CAS_SESSION_NOT_FOUND'),
  );
  assert.equal(await approve(ownerSigning.privateKey), 'applied');

  const unwanted = await call(asOwner, routes.proposeSession, {
    body: { session: session.replace('name: app', 'name: unwanted') },
  });
  const of = { name: 'unwanted', hash: unwanted.hash };
  const veto = addVeto(of, scope, begins.pem, signMessage(vetoMessage(of, scope), begins.privateKey));
  const vetoed = await call(asOther, routes.vetoSession, {
    parameters: { name: 'unwanted' },
    body: { hash: unwanted.hash, veto },
  });
  assert.equal(vetoed.state, 'vetoed', 'nothing begins without who begins it');
});

void test('a full CAS takes no proposal of a new session, and no last signature of an older one', async (t) => {
  const owner = await clientKeys('owner');
  const ownerSigning = member();
  const under = await casUnderTest(t, {
    creators: new Set([keyHashOfCertificate(owner.certificate), ownerSigning.keyHash]),
    limits: { sessions: 1 },
  });
  const cas = await under.connect(owner);
  const creator = `creator: {signer: ${JSON.stringify(ownerSigning.pem)}}\n`;
  const propose = (name: string, more: string): Promise<Approval> =>
    call(cas, routes.proposeSession, { body: { session: `name: ${name}\nversion: "0.3.12"\n${more}` } });
  const { name, hash } = await propose('app', creator);
  const first = await postSession(cas, 'name: first\nversion: "0.3.12"\n');
  await assert.rejects(propose('other', creator), refused('CAS_SESSIONS_FULL'));
  const scope = {
    cas: keyHashOfDigest(fromHex(under.cas.identity, 32)),
    expires: new Date(Date.now() + 3_600_000),
  };
  const signature = signChange({ name, hash }, scope, ownerSigning.privateKey);
  await assert.rejects(
    call(cas, routes.approveSession, { parameters: { name }, body: { hash, signature } }),
    refused('CAS_SESSIONS_FULL'),
  );
  const { updates } = await call(cas, routes.readApprovals, { parameters: { name } });
  assert.deepEqual([updates.length, updates[0]?.signed], [1, []], 'it waits until there is room');
  assert.equal((await propose('first', `predecessor: ${first.hash}\n`)).state, 'pending');
});

import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';
import { utf8 } from '@ensconce/base/bytes';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { LogChain } from '../src/chain.ts';
import { checkpointText, openCheckpoint, type Checkpoint } from '../src/checkpoint.ts';
import {
  endorsementMessage,
  noteKeyId,
  openEndorsement,
  originOf,
  type AuditKey,
  type Endorsement,
} from '../src/endorsement.ts';
import { sessionsOf, type AuditEvent } from '../src/event.ts';
import { signNote } from '../src/note.ts';
import { encodeRecord, parseRecord, signRecord, type SessionPlace } from '../src/record.ts';
import { statementName, statementText, type ProvedRecord } from '../src/session-history.ts';
import { inclusionProof, type Sha256, type StoredTree } from '../src/tree.ts';

export const sha256: Sha256 = (data) => hash('sha256', data, 'buffer');

/** A log in memory as CAS writes it, with keys of its own. */
export class WrittenLog {
  readonly lines: Uint8Array[] = [];
  readonly identity: string;
  readonly endorsement: Endorsement;
  readonly #audit: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly #chain = new LogChain(sha256);
  readonly #hashes: Uint8Array[] = [];

  /** With `from`, another history of the same CAS: the first `records` are the same. */
  constructor(from?: { readonly log: WrittenLog; readonly records: number }) {
    this.#audit = from === undefined ? generateKeyPairSync('ed25519') : from.log.#audit;
    if (from !== undefined) {
      this.identity = from.log.identity;
      this.endorsement = from.log.endorsement;
      for (const line of from.log.lines.slice(0, from.records)) this.#take(line);
      return;
    }
    const cas = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const casKey = cas.publicKey.export({ type: 'spki', format: 'der' });
    const auditKey = this.#audit.publicKey.export({ type: 'spki', format: 'der' });
    this.identity = hash('sha256', casKey);
    this.endorsement = {
      casKey: casKey.toString('base64'),
      auditKey: auditKey.toString('base64'),
      endorsement: sign('sha256', endorsementMessage(auditKey), cas.privateKey).toString('base64'),
    };
    this.start(0);
  }

  readonly sign = (data: Uint8Array): Uint8Array => sign(null, data, this.#audit.privateKey);

  start(commit: number): void {
    const { endorsement, identity } = this;
    this.add(
      { type: 'CAS started', casIdentity: identity, ...endorsement, acceptsSimulation: false, sink: null },
      commit,
    );
  }

  /** `change` lies about the places of the sessions. */
  add(event: AuditEvent, commit = 0, change?: (places: SessionPlace[]) => SessionPlace[]): void {
    this.#take(signRecord(this.#encode(event, commit, change), this.sign));
  }

  /** A record that is written together with the next. */
  addUnsigned(event: AuditEvent, commit = 0): void {
    this.#take(this.#encode(event, commit));
  }

  #encode(
    event: AuditEvent,
    commit: number,
    change?: (places: SessionPlace[]) => SessionPlace[],
  ): Uint8Array {
    const places = sessionsOf(event).map((session) => {
      const { count = 0, last = 0 } = this.#chain.head(session) ?? {};
      return { session, number: count + 1, previous: last };
    });
    return encodeRecord({
      at: '2026-11-25T12:00:00.000Z',
      commit,
      event,
      previous: this.#chain.hash,
      sequence: this.#chain.sequence + 1,
      sessions: change?.(places) ?? places,
    });
  }

  #take(line: Uint8Array): void {
    this.lines.push(line);
    this.#hashes.push(...this.#chain.addKnown(line));
  }

  get tree(): StoredTree & { readonly size: number; readonly root: Uint8Array } {
    const { tree } = this.#chain;
    return { sha256, read: (index) => this.#hashes[index] as Uint8Array, size: tree.size, root: tree.root() };
  }

  key(): Promise<AuditKey> {
    return openEndorsement(nodeCrypto, this.endorsement, this.identity);
  }

  async note(name: string, text: string): Promise<string> {
    const { raw } = await this.key();
    return signNote(text, { name, keyId: await noteKeyId(nodeCrypto, name, raw), sign: this.sign });
  }

  async checkpoint(): Promise<Checkpoint> {
    const origin = originOf(this.identity);
    return openCheckpoint(
      nodeCrypto,
      await this.key(),
      await this.note(origin, checkpointText(origin, this.tree)),
    );
  }

  async statement(session: string, told: { count?: number; last?: number } = {}): Promise<string> {
    const origin = originOf(this.identity);
    const { count, last } = { ...(this.#chain.head(session) ?? { count: 0, last: 0 }), ...told };
    return this.note(statementName(origin), statementText(origin, this.tree, { session, count, last }));
  }

  proved(sequence: number): ProvedRecord {
    const { tree } = this;
    const record = JSON.parse(
      Buffer.from(this.lines[sequence - 1] as Uint8Array).toString(),
    ) as ProvedRecord['record'];
    return { record, proof: inclusionProof(tree, sequence - 1, tree.size).map((one) => one.toBase64()) };
  }

  /** The records of a session, newest first. */
  ofSession(session: string): number[] {
    return this.lines
      .map((line) => parseRecord(line))
      .filter((record) => record.sessions.some((place) => place.session === session))
      .map((record) => record.sequence)
      .toReversed();
  }

  get text(): string {
    return this.lines.map((line) => `${Buffer.from(line).toString()}\n`).join('');
  }
}

export async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(utf8(text));
}

export const read = (session: string, shown = false): AuditEvent => ({
  type: 'Session read',
  session,
  identity: null,
  secretsShown: shown,
  secrets: shown ? ['token'] : [],
});

export const attested = (session: string, from: readonly string[] = []): AuditEvent => ({
  type: 'Service configured without evidence',
  session,
  service: 'app',
  released: [session, ...from].map((owner) => ({ session: owner, secrets: ['key'], volumes: [] })),
});

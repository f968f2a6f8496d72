import { readExports } from '@ensconce/api/client';
import { parseAddress } from '@ensconce/api/address';
import { CasConnection } from '@ensconce/api/connection';
import { RefusedByCas } from '@ensconce/api/errors';
import { mostExports, type ExportAnswer, type ExportRequest } from '@ensconce/api/exports';
import { proveClient, type MakeEvidence } from '@ensconce/api/prove-client';
import { keyHash } from '@ensconce/policy/key-hash';
import type { SecretImport } from '@ensconce/policy/session';
import { SecretsError } from '@ensconce/secrets/errors';
import type { Party } from '@ensconce/secrets/export';
import type { OtherCas } from '@ensconce/secrets/imports';
import { parseExportedValue, type StoredSecret } from '@ensconce/secrets/stored';
import type { Trail } from '@ensconce/secrets/trail';
import { CasError } from '../errors.ts';
import { Gate } from '../state/gate.ts';
import type { CasIdentity } from '../state/state.ts';
import { BackOff } from './back-off.ts';

/** Questions to one CAS, and to all others together. Starts that import nothing never wait here. */
const perCas = { running: 8, waiting: 64 };
const together = { running: 64, waiting: 256 };
/** CASes whose queue is kept, at most. */
const mostCases = 1024;

/** A value of another CAS. */
export interface Exported {
  readonly value: StoredSecret;
  /** Of the session there. */
  readonly id: string;
}

/** Asks other CASes for what they export to sessions of this one. The identity key of this CAS says who asks. */
export class OtherCases {
  readonly #identity: CasIdentity;
  /** Milliseconds, only forward. */
  readonly #clock: () => number;
  readonly #backOff = new BackOff();
  readonly #gate = new Gate(together);
  readonly #gates = new Map<string, Gate>();
  readonly #asked = new Map<string, Promise<readonly Exported[]>>();

  /** Undefined where nobody makes evidence about this CAS. */
  readonly #makeEvidence: MakeEvidence | undefined;

  constructor(options: {
    readonly identity: CasIdentity;
    readonly clock: () => number;
    readonly makeEvidence: MakeEvidence | undefined;
  }) {
    this.#identity = options.identity;
    this.#clock = options.clock;
    this.#makeEvidence = options.makeEvidence;
  }

  /**
   * The values, in the order of `requests`. Throws `SECRETS_IMPORT` where the other CAS says no, `SECRETS_UNAVAILABLE`
   * where it did not answer, or another one answered.
   */
  ask(
    cas: OtherCas,
    importer: Party,
    requests: readonly SecretImport[],
    trail: Trail,
  ): Promise<readonly Exported[]> {
    const request = {
      importer: { session: importer.session.name, id: importer.id, hash: importer.hash },
      secrets: requests.map(secretOf),
      path: [...trail.steps],
    };
    // Starts of one service at the same time share the question; nothing is kept once it is answered.
    const id = JSON.stringify([cas, request]);
    const asked = this.#asked.get(id) ?? this.#ask(cas, request, trail).finally(() => this.#asked.delete(id));
    this.#asked.set(id, asked);
    return asked;
  }

  async #ask(
    cas: OtherCas,
    request: Omit<ExportRequest, 'timeout'>,
    trail: Trail,
  ): Promise<readonly Exported[]> {
    if (request.secrets.length > mostExports) {
      throw new SecretsError(
        'SECRETS_IMPORT',
        `session ${request.importer.session}: at most ${mostExports} imports from one CAS expected, ${request.secrets.length} found`,
      );
    }
    const peer = `${cas.url} ${cas.key}`;
    const pause = this.#backOff.pause(peer, this.#clock());
    if (pause > 0) throw away(cas, `it did not answer, and is asked again in ${Math.ceil(pause / 1000)} s`);
    try {
      const values = await this.#gate.run(() =>
        this.#gateOf(peer).run(() => this.#exchange(cas, request, trail.deadline)),
      );
      this.#backOff.succeeded(peer);
      return values;
    } catch (error) {
      if (error instanceof RefusedByCas) {
        this.#backOff.succeeded(peer);
        throw refused(cas, error);
      }
      if (error instanceof SecretsError && error.code === 'SECRETS_IMPORT') throw error;
      if (error instanceof CasError) throw away(cas, 'too many questions at once', error);
      this.#backOff.failed(peer, this.#clock());
      // The words of the network stay here: session authors choose the address, and are not to explore networks with it.
      throw error instanceof SecretsError ? error : away(cas, 'no answer');
    }
  }

  async #exchange(
    cas: OtherCas,
    request: Omit<ExportRequest, 'timeout'>,
    deadline: number,
  ): Promise<readonly Exported[]> {
    const timeout = Math.floor(deadline - this.#clock());
    if (timeout <= 0) throw away(cas, 'no time left');
    const { privateKey, certificate } = this.#identity;
    const connection = await CasConnection.open({
      address: parseAddress(cas.url),
      identity: { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), certificate },
      timeout,
      signal: AbortSignal.timeout(timeout),
    });
    try {
      // Before a byte of the question leaves.
      const found = keyHash(connection.publicKey);
      if (found !== cas.key) throw away(cas, `a CAS with the key hash ${found} answered`);
      const { exports } = await this.#read(connection, { ...request, timeout });
      if (exports.length !== request.secrets.length) throw away(cas, 'an answer to another question');
      return exports.map(({ value, id }) => ({ value: parseExportedValue(value), id }));
    } finally {
      connection.close();
    }
  }

  /** A CAS that lets nobody in without evidence gets some. */
  async #read(connection: CasConnection, request: ExportRequest): Promise<ExportAnswer> {
    try {
      return await readExports(connection, request);
    } catch (error) {
      const unattested = error instanceof RefusedByCas && error.reason === 'CAS_CLIENT_UNATTESTED';
      if (!unattested || this.#makeEvidence === undefined) throw error;
      await proveClient(connection, this.#identity.publicKey, this.#makeEvidence);
      return readExports(connection, request);
    }
  }

  #gateOf(peer: string): Gate {
    const gate = this.#gates.get(peer) ?? new Gate(perCas);
    this.#gates.delete(peer);
    this.#gates.set(peer, gate);
    if (this.#gates.size > mostCases) this.#gates.delete(this.#gates.keys().next().value ?? '');
    return gate;
  }
}

function secretOf({ from, secret }: SecretImport): ExportRequest['secrets'][number] {
  const { session, sessionHash } = from;
  return { session, secret, ...(sessionHash === undefined ? {} : { sessionHash }) };
}

function away({ url, key }: OtherCas, found: string, cause?: CasError): SecretsError {
  return new SecretsError(
    'SECRETS_UNAVAILABLE',
    `CAS ${url}: an answer of the CAS ${key} expected, ${found}`,
    {
      cause,
      hint: 'start again later; if the other CAS was replaced, the import and its export need the new cas_key',
    },
  );
}

/** What another CAS says is its word: printed, bounded, and believed to be a refusal. */
function refused({ url }: OtherCas, error: RefusedByCas): SecretsError {
  const code = error.retry ? 'SECRETS_UNAVAILABLE' : 'SECRETS_IMPORT';
  return new SecretsError(code, `CAS ${url}: it refused (${error.reason.slice(0, 64)})`, {
    cause: new Error(error.message.slice(0, 500)),
    hint: 'the other session exports it with `export: {session: …, cas_url: …, cas_key: …}`, naming this session and this CAS',
  });
}

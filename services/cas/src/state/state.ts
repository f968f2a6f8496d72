import { createPrivateKey, generateKeyPairSync, hash, type KeyObject, X509Certificate } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { publicKeyOf, selfSigned } from '@ensconce/identity/self-signed';
import { AuditLog } from '../audit/audit-log.ts';
import { AuditNotes } from '../audit/audit-notes.ts';
import { AuditProofs } from '../audit/audit-proofs.ts';
import { CasError } from '../errors.ts';
import type { KeySealer } from '../store/key-sealer.ts';
import type { Random } from '../store/record-cipher.ts';
import { Store } from '../store/store.ts';

export const databaseFileName = 'cas.db';
export const auditLogFileName = 'audit.jsonl';

const keysSchema = v.strictObject({
  /** PKCS#8 PEM of CAS's identity key, P-256. */
  identityKey: v.string(),
  certificate: v.string(),
  /** PKCS#8 PEM, Ed25519. */
  auditKey: v.string(),
  /** PKCS#8 PEM, P-256: for sessions that only this CAS can read. */
  encryptionKey: v.string(),
});

/** CAS's identity: the TLS key of both ports. */
export interface CasIdentity {
  readonly privateKey: KeyObject;
  /** PEM. */
  readonly certificate: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** Hex SHA-256 of {@link publicKey}: what images and clients know this CAS by. */
  readonly hash: string;
}

/** Everything that CAS keeps: the database, the audit log and the keys that stand in the database. */
export interface State {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly notes: AuditNotes;
  readonly proofs: AuditProofs;
  readonly identity: CasIdentity;
  readonly auditKey: KeyObject;
  readonly encryptionKey: KeyObject;
}

export interface StateOptions {
  readonly folder: string;
  readonly sealer: KeySealer;
  readonly random: Random;
  readonly now: () => Date;
}

/** Opens the state in a folder and verifies all of it; makes it where the folder is new. */
export async function openState(options: StateOptions): Promise<State> {
  const { folder, now } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = join(folder, databaseFileName);
  const auditPath = join(folder, auditLogFileName);
  const sealedKey = options.sealer.unseal();
  refuseHalfState(sealedKey !== undefined, existsSync(database), existsSync(auditPath), folder);
  const databaseKey = sealedKey ?? options.random(32);
  if (sealedKey === undefined) options.sealer.seal(databaseKey);
  if (!existsSync(database)) createPrivately(database);
  const store = new Store({ path: database, databaseKey, random: options.random });
  try {
    const keys = await loadKeys(store, now(), existsSync(auditPath));
    const audit = await AuditLog.open({
      path: auditPath,
      key: keys.auditKey,
      now,
      anchor: store.auditPosition,
      commit: store.sequence,
    });
    const notes = new AuditNotes(keys.auditKey, keys.identity.hash);
    return { store, audit, notes, proofs: new AuditProofs(audit), ...keys };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** What is initialised and now lacks a part is never made anew: that is what an attacker who deletes would want. */
function refuseHalfState(key: boolean, database: boolean, audit: boolean, folder: string): void {
  const hint = 'restore the whole state folder; to begin anew, with another identity, give an empty folder';
  if (!key && (database || audit)) {
    throw new CasError('CAS_STATE_KEY', `state folder ${folder}: the database key expected, none found`, {
      hint,
    });
  }
  if (!database && audit) {
    throw new CasError(
      'CAS_STATE_ROLLED_BACK',
      `state folder ${folder}: a database beside the audit log expected, none found`,
      { hint },
    );
  }
}

function createPrivately(path: string): void {
  const file = openSync(path, 'ax', 0o600);
  writeSync(file, '');
  closeSync(file);
}

async function loadKeys(
  store: Store,
  now: Date,
  auditLogExists: boolean,
): Promise<Pick<State, 'identity' | 'auditKey' | 'encryptionKey'>> {
  let record = store.get('keys', '');
  if (record === undefined) {
    if (auditLogExists || store.sequence > 0) {
      throw new CasError(
        'CAS_STATE_ROLLED_BACK',
        'database: the keys of this CAS expected, an empty one found',
        {
          hint: 'restore the newest copy of the state folder',
        },
      );
    }
    record = await makeKeys(now);
    store.commit([{ table: 'keys', name: '', value: v.parse(keysSchema, record) }], undefined);
  }
  const keys = v.parse(keysSchema, record);
  const certificate = new X509Certificate(keys.certificate);
  const publicKey = publicKeyOf(certificate);
  return {
    identity: {
      privateKey: createPrivateKey(keys.identityKey),
      certificate: keys.certificate,
      publicKey,
      hash: hash('sha256', publicKey),
    },
    auditKey: createPrivateKey(keys.auditKey),
    encryptionKey: createPrivateKey(keys.encryptionKey),
  };
}

async function makeKeys(now: Date): Promise<v.InferOutput<typeof keysSchema>> {
  const identity = await selfSigned('Ensconce CAS', now);
  const audit = generateKeyPairSync('ed25519');
  const encryption = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    identityKey: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    certificate: identity.certificate,
    auditKey: audit.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    encryptionKey: encryption.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

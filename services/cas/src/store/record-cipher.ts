import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import { CasError } from '../errors.ts';
import { scratchFields } from './scratch-fields.ts';

/** Source of random bytes. */
export type Random = (size: number) => Uint8Array;

/** Where a record stands; all three are authenticated with its contents. */
export interface RecordPlace {
  readonly table: string;
  /** 32 bytes: HMAC of the record's name, so that the database shows no names. */
  readonly key: Uint8Array;
  readonly version: number;
}

const nonceSize = 12;
const tagSize = 16;

/**
 * AES-256-GCM over records (docs/formats/cas-database.md). Nonces are random, 96 bits: the database file can be rolled
 * back, so no counter on it may choose them. One database key therefore serves at most 2³² writes.
 */
export class RecordCipher {
  readonly #key: KeyObject;
  readonly #nameKey: KeyObject;
  readonly #random: Random;

  /** `databaseKey` is 32 bytes. */
  constructor(databaseKey: Uint8Array, random: Random) {
    if (databaseKey.length !== 32) throw new RangeError('database key: 32 bytes expected');
    const derive = (purpose: string): KeyObject =>
      createSecretKey(
        new Uint8Array(hkdfSync('sha256', databaseKey, new Uint8Array(0), `ensconce-cas/1 ${purpose}`, 32)),
      );
    this.#key = derive('records');
    this.#nameKey = derive('names');
    this.#random = random;
  }

  /** The key under which the record of that name is stored. */
  nameKey(table: string, name: string): Uint8Array {
    return createHmac('sha256', this.#nameKey)
      .update(scratchFields('name', [table, name]) ?? encodeFields('name', [utf8(table), utf8(name)]))
      .digest();
  }

  seal(place: RecordPlace, plaintext: Uint8Array): Uint8Array {
    const nonce = this.#random(nonceSize);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(additionalData(place));
    return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  /** `sealed` comes from the disk, which belongs to the attacker. */
  open(place: RecordPlace, sealed: Uint8Array): Uint8Array {
    const what = `database: ${place.table} record, version ${place.version}`;
    if (sealed.length < nonceSize + tagSize) {
      throw new CasError('CAS_STATE_CORRUPT', `${what}: at least ${nonceSize + tagSize} bytes expected`);
    }
    const end = sealed.length - tagSize;
    const cipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, nonceSize), {
      authTagLength: tagSize,
    });
    cipher.setAAD(additionalData(place));
    cipher.setAuthTag(sealed.subarray(end));
    try {
      // GCM holds nothing back: what `final` gives is empty, and only says that the tag is right.
      const plaintext = cipher.update(sealed.subarray(nonceSize, end));
      cipher.final();
      return plaintext;
    } catch (cause) {
      throw new CasError(
        'CAS_STATE_CORRUPT',
        `${what}: the record as CAS wrote it expected, a changed one found`,
        { cause, hint: 'restore the state folder from a snapshot; nothing of a changed one is used' },
      );
    }
  }
}

/** Worthless after the next call of `scratchFields`: ciphers take in at once what they are given. */
function additionalData({ table, key, version }: RecordPlace): Uint8Array {
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(version));
  const label = 'ensconce-cas-record/1';
  return scratchFields(label, [table, key, number]) ?? encodeFields(label, [utf8(table), key, number]);
}

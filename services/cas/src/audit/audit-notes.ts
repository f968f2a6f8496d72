import { createPublicKey, sign, type KeyObject } from 'node:crypto';
import { checkpointText } from '@ensconce/audit/checkpoint';
import { noteKeyId, originOf } from '@ensconce/audit/endorsement';
import { signNote } from '@ensconce/audit/note';
import type { TreeHead } from '@ensconce/audit/proof';
import { statementName, statementText, type SessionCount } from '@ensconce/audit/session-history';
import { nodeCrypto } from '@ensconce/crypto-node/provider';

/** What CAS signs about its log: checkpoints, and how many records concern a session. */
export class AuditNotes {
  readonly origin: string;
  /** The audit key, public: 32 bytes. */
  readonly key: Uint8Array;
  readonly #private: KeyObject;
  #newest: { readonly size: number; readonly note: string } | undefined;

  /** `key` is the audit key, private; `casIdentity` hex. */
  constructor(key: KeyObject, casIdentity: string) {
    this.origin = originOf(casIdentity);
    this.#private = key;
    this.key = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32);
  }

  /** The checkpoint of a tree that this CAS wrote. */
  async checkpoint(head: TreeHead): Promise<string> {
    if (this.#newest?.size === head.size) return this.#newest.note;
    const note = await this.#sign(this.origin, checkpointText(this.origin, head));
    this.#newest = { size: head.size, note };
    return note;
  }

  statement(head: TreeHead, count: SessionCount): Promise<string> {
    return this.#sign(statementName(this.origin), statementText(this.origin, head, count));
  }

  async #sign(name: string, text: string): Promise<string> {
    const keyId = await noteKeyId(nodeCrypto, name, this.key);
    return signNote(text, { name, keyId, sign: (data) => sign(null, data, this.#private) });
  }
}

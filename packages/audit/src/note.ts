import { concatBytes, equalBytes, utf8 } from '@ensconce/base/bytes';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import { noteKeyId, type AuditKey } from './endorsement.ts';
import { AuditError } from './errors.ts';

/** Signed notes as C2SP defines them (c2sp.org/signed-note), so that other tools read them: text, an empty line, signatures. */

/** Characters. */
export const noteLimit = 16_384;
const mostSignatures = 16;
const idSize = 4;

/** Signs text (at least one line, ended by a line feed) as `name`; `sign` is Ed25519 by the key with that `keyId`. */
export function signNote(
  text: string,
  signer: {
    readonly name: string;
    readonly keyId: Uint8Array;
    readonly sign: (data: Uint8Array) => Uint8Array;
  },
): string {
  const signature = concatBytes(signer.keyId, signer.sign(utf8(text))).toBase64();
  return `${text}\n— ${signer.name} ${signature}\n`;
}

const signatureLine = /^— ([^\s+]{1,256}) ([A-Za-z0-9+/]{1,512}={0,2})$/;

function malformed(found: string): AuditError {
  return new AuditError(
    'AUDIT_FORM',
    `note: text with signatures (C2SP signed-note) expected, ${found} found`,
  );
}

interface NoteSignature {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Splits an untrusted note. */
export function parseNote(note: string): {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
} {
  if (note.length > noteLimit) throw malformed(`${note.length} characters`);
  if (!note.isWellFormed() || /[^\P{Cc}\n]/u.test(note)) throw malformed('a control character');
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw malformed('no signature');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > mostSignatures) throw malformed(`${lines.length} signatures`);
  const signatures = lines.map((line) => {
    const match = signatureLine.exec(line);
    if (match === null) throw malformed('a line that is no signature');
    try {
      // Strict: one signature has one text.
      const bytes = Uint8Array.fromBase64(match[2] as string, { lastChunkHandling: 'strict' });
      return { name: match[1] as string, bytes };
    } catch {
      throw malformed('a signature that is not base64');
    }
  });
  return { text: note.slice(0, end + 1), signatures };
}

/** The text of an untrusted note that the audit key signed as `name`. Other signatures, as of witnesses, do not count. */
export async function openNote(
  crypto: CryptoProvider,
  key: AuditKey,
  name: string,
  note: string,
): Promise<string> {
  const { text, signatures } = parseNote(note);
  const id = await noteKeyId(crypto, name, key.raw);
  const ours = signatures.find(
    ({ name: by, bytes }) => by === name && equalBytes(bytes.subarray(0, idSize), id),
  );
  if (ours === undefined || !(await key.verify(ours.bytes.subarray(idSize), utf8(text)))) {
    throw new AuditError('AUDIT_SIGNATURE', `note: a signature by ${name} expected, none that holds found`);
  }
  return text;
}

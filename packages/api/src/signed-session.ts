import * as v from 'valibot';
import { hash, sessionId, sessionName } from './schema.ts';

/** Largest file that is read as one, bytes. */
export const signedSessionLimit = 2_097_152;

/** A signature over one change of a session (docs/formats/session-signature.md). */
export const sessionSignature = v.strictObject({
  /** PEM SubjectPublicKeyInfo, Ed25519 or P-384. */
  signer: v.pipe(v.string(), v.maxLength(16_384)),
  /** Key hash of the CAS that it is meant for. */
  cas: v.pipe(v.string(), v.maxLength(100)),
  /** YYYY-MM-DDThh:mm:ssZ. */
  expires: v.pipe(v.string(), v.maxLength(32)),
  /** Base64. */
  signature: v.pipe(v.string(), v.maxLength(2048)),
});

/** A session text and the signatures over what it means. */
export const signedSession = v.strictObject({
  format: v.literal('ensconce-signed-session/1'),
  /** YAML. */
  session: v.string(),
  signatures: v.pipe(v.array(sessionSignature), v.minLength(1), v.maxLength(64)),
});
export type SignedSession = v.InferOutput<typeof signedSession>;

/** That a session is to be deleted as it stands, and the signatures over that. */
export const signedDeletion = v.strictObject({
  format: v.literal('ensconce-signed-deletion/1'),
  name: sessionName,
  /** Immutable id of the session: `GET /v1/history/<name>` has it. */
  id: sessionId,
  /** Of the version that is present. */
  hash,
  signatures: v.pipe(v.array(sessionSignature), v.minLength(1), v.maxLength(64)),
});
export type SignedDeletion = v.InferOutput<typeof signedDeletion>;

/** Answer to `GET /v1/encryption_key`. */
export const encryptionKeyAnswer = v.strictObject({
  /** PEM SubjectPublicKeyInfo, P-256. */
  key: v.string(),
});

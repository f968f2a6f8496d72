import * as v from 'valibot';
import { route } from '../route.ts';
import { requestLimit, sessionDeleted } from '../schema.ts';
import { encryptionKeyAnswer, signedDeletion, signedSession, signedSessionLimit } from '../signed-session.ts';
import { deleteSession, postSession } from './sessions.ts';

export const postSignedSession = route({
  ...postSession,
  path: '/v1/signed_sessions',
  summary: 'Creates or updates a session by signatures; who carries it does not matter',
  who: 'whose signatures satisfy the same rules',
  access: 'anybody',
  body: { types: ['application/json'], schema: signedSession, limit: signedSessionLimit },
  errors: [...postSession.errors, 'CAS_SIGNATURE_INVALID'],
});

export const postSignedDeletion = route({
  method: 'POST',
  path: '/v1/signed_deletions',
  summary: 'Deletes a session by signatures; who carries them does not matter',
  who: `${deleteSession.who}, by signatures`,
  access: 'anybody',
  body: { types: ['application/json'], schema: signedDeletion, limit: 2 * requestLimit },
  answers: { 200: { meaning: 'deleted', schema: sessionDeleted, etag: true } },
  errors: [
    'CAS_SIGNATURE_INVALID',
    'CAS_SESSION_NOT_FOUND',
    'CAS_SESSION_DELETED',
    'CAS_PRECONDITION_FAILED',
  ],
});

export const putEncryptedSession = route({
  ...postSession,
  method: 'PUT',
  path: '/v1/encrypted_sessions',
  summary: 'The same with a body that only this CAS can read: a session, or a signed session',
  description:
    'A compact JWE for the key of `GET /v1/encryption_key`. It hides the text from who carries it.',
  who: 'as for what is inside: the connection’s certificate, or signatures',
  access: 'policy',
  body: {
    types: ['application/jose'],
    schema: v.pipe(v.string(), v.minLength(1), v.maxLength(2 * requestLimit)),
    limit: 2 * requestLimit,
  },
  errors: [...postSession.errors, 'CAS_SIGNATURE_INVALID', 'CAS_SESSION_UNREADABLE'],
});

export const readEncryptionKey = route({
  method: 'GET',
  path: '/v1/encryption_key',
  summary: 'The public key for which sessions are encrypted',
  description: 'It is as good as the connection: ask a CAS that was attested.',
  who: 'anybody',
  access: 'anybody',
  answers: { 200: { meaning: 'the key', schema: encryptionKeyAnswer } },
  errors: [],
});

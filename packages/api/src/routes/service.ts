import { route } from '../route.ts';
import {
  attestAnswer,
  attestRequest,
  liveAnswer,
  readyAnswer,
  clientAttested,
  clientChallenge,
  clientEvidence,
  openApiAnswer,
  versionAnswer,
} from '../schema.ts';

export const readVersion = route({
  method: 'GET',
  path: '/v1/version',
  summary: 'What CAS says of itself',
  description: 'It proves nothing: only evidence does.',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  answers: { 200: { meaning: 'the version', schema: versionAnswer } },
  errors: [],
});

export const readLive = route({
  method: 'GET',
  path: '/v1/health/live',
  summary: 'Whether CAS answers at all',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  answers: { 200: { meaning: 'it does', schema: liveAnswer } },
  errors: [],
});

export const readReady = route({
  method: 'GET',
  path: '/v1/health/ready',
  summary: 'Whether CAS can do its work',
  description:
    'It cannot where database or audit log take no more records, or when it has been told to stop.',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  answers: { 200: { meaning: 'it can', schema: readyAnswer } },
  errors: ['CAS_NOT_READY'],
});

export const attestCas = route({
  method: 'POST',
  path: '/v1/attest',
  summary: 'Evidence about CAS, bound to this connection',
  description: 'docs/protocol/client-api.md says what the report data is.',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  body: { types: ['application/json'], schema: attestRequest, limit: 1024 },
  answers: { 200: { meaning: 'the evidence', schema: attestAnswer } },
  errors: ['CAS_EVIDENCE_UNAVAILABLE'],
});

export const readOpenApi = route({
  method: 'GET',
  path: '/v1/openapi.json',
  summary: 'This description of the API',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  answers: { 200: { meaning: 'an OpenAPI 3.1 document', schema: openApiAnswer } },
  errors: [],
});

export const readClientChallenge = route({
  method: 'GET',
  path: '/v1/attest-client',
  summary: 'Whether clients must prove what they run, and what over',
  who: 'whoever shows a certificate',
  access: 'identified',
  beforeAttestation: true,
  answers: { 200: { meaning: 'the challenge, good once, on this connection', schema: clientChallenge } },
  errors: [],
});

export const attestClient = route({
  method: 'POST',
  path: '/v1/attest-client',
  summary: 'Evidence about the client, bound to this connection and the challenge',
  description: 'It lets this connection use the other routes of a CAS that requires attested clients.',
  who: 'whoever shows a certificate',
  access: 'identified',
  beforeAttestation: true,
  body: { types: ['application/json'], schema: clientEvidence, limit: 131_072 },
  answers: { 200: { meaning: 'accepted', schema: clientAttested } },
  errors: [
    'CAS_EVIDENCE_REFUSED',
    'CAS_EVIDENCE_UNDECIDED',
    'CAS_BINDING_MISMATCH',
    'CAS_SERVICE_REFUSED',
    'CAS_SERVICE_UNSUPPORTED',
  ],
});

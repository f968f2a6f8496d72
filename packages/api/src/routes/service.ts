import { route } from '../route.ts';
import {
  attestAnswer,
  attestRequest,
  liveAnswer,
  openApiAnswer,
  readyAnswer,
  versionAnswer,
} from '../schema.ts';

export const readVersion = route({
  method: 'GET',
  path: '/v1/version',
  summary: 'What CAS says of itself',
  description: 'It proves nothing: only evidence does.',
  who: 'anybody',
  access: 'anybody',
  answers: { 200: { meaning: 'the version', schema: versionAnswer } },
  errors: [],
});

export const readLive = route({
  method: 'GET',
  path: '/v1/health/live',
  summary: 'Whether CAS answers at all',
  who: 'anybody',
  access: 'anybody',
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
  answers: { 200: { meaning: 'an OpenAPI 3.1 document', schema: openApiAnswer } },
  errors: [],
});

import { exportAnswer, exportRequest } from '../exports.ts';
import { route } from '../route.ts';
import { requestLimit } from '../schema.ts';

export const readExports = route({
  method: 'POST',
  path: '/v1/exports',
  summary: 'What this CAS exports to a session of the CAS that asks',
  description: 'All values of the question or none. docs/protocol/client-api.md says more.',
  who: 'other CASes, whose identity key an export names',
  access: 'identified',
  body: { types: ['application/json'], schema: exportRequest, limit: requestLimit },
  answers: { 200: { meaning: 'the values', schema: exportAnswer } },
  errors: ['CAS_VALUE_NOT_FOUND', 'CAS_IMPORT_UNAVAILABLE'],
});

import { route } from '../route.ts';
import { secretName, sessionName, valueAnswer, valuesAnswer } from '../schema.ts';

export const readValue = route({
  method: 'GET',
  path: '/v1/values/session={session},secret={secret}',
  summary: 'One value that a session exports to everybody',
  who: 'anybody, if `export_public`',
  access: 'anybody',
  parameters: { session: sessionName, secret: secretName },
  answers: { 200: { meaning: 'the value', schema: valueAnswer } },
  errors: ['CAS_VALUE_NOT_FOUND'],
});

export const readValues = route({
  method: 'GET',
  path: '/v1/values/session={session}',
  summary: 'All values that a session exports to everybody',
  who: 'anybody',
  access: 'anybody',
  parameters: { session: sessionName },
  answers: { 200: { meaning: 'the public values by name', schema: valuesAnswer } },
  errors: ['CAS_VALUE_NOT_FOUND'],
});

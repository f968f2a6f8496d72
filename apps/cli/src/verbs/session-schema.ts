import { sessionSchema } from '@ensconce/policy/schema';
import type { Verb } from '../verb.ts';

export const sessionSchemaVerb: Verb = {
  name: 'session schema',
  summary: 'write the JSON Schema of the session language, for editors',
  examples: ['ensconce session schema > session.schema.json'],
  define(command, io) {
    command.option('--json', 'what it does anyway').action(() => {
      io.stdout(`${JSON.stringify(sessionSchema(), null, 2)}\n`);
    });
  },
};

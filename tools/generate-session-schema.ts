/** Writes docs/reference/session.schema.json from the parser's own description of the session language. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sessionSchema } from '../packages/policy/src/schema.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'reference');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'session.schema.json'), `${JSON.stringify(sessionSchema(), undefined, 2)}\n`);

/** Writes docs/reference/openapi.json and api.md from the table of routes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApi } from '../packages/api/src/openapi.ts';
import { apiReference } from '../packages/api/src/reference.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'reference');
writeFileSync(join(folder, 'openapi.json'), `${JSON.stringify(openApi(), undefined, 2)}\n`);
writeFileSync(join(folder, 'api.md'), apiReference());

/** Where test images come from and go to. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = fileURLToPath(new URL('.', import.meta.url));
export const repository = join(here, '..', '..');

/** What is fetched and built is kept here; ENSCONCE_CACHE names another folder. */
export const cacheFolder = process.env['ENSCONCE_CACHE'] ?? join(repository, '.cache');

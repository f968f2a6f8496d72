/** `npm run bench -- NAME [ARGUMENTS]`: runs one benchmark; each is a file beside this one that exports `bench`. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const names = readdirSync(dirname(fileURLToPath(import.meta.url)))
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length));
const [name = '', ...args] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(
    `bench: ${names.join(' or ')} expected, ${name || 'nothing'} found\nhint: npm run bench -- ${names[0]}`,
  );
  process.exit(2);
}
const { bench } = (await import(`./${name}.ts`)) as { bench: (args: readonly string[]) => Promise<void> };
await bench(args);

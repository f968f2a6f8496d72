/**
 * `measure-command.ts show|check|write DIRECTORY`: does it in a process of its own with the key of the tests, and prints
 * what came of it, how long it took and the most memory it had. `write` adds what is in the folder `empty` beside it.
 */
import { join } from 'node:path';
import { addFiles, check, showVolume } from '../src/commands.ts';

const [what, directory = ''] = process.argv.slice(2);
const log: string[] = [];
const place = { directory, volumeKey: new Uint8Array(32).fill(8), log: (line: string) => log.push(line) };
const began = performance.now();
let files: number | undefined;
if (what === 'show') showVolume(place);
else if (what === 'write') addFiles(place, join(directory, '..', 'empty'));
else {
  const report = await check(place);
  log.push(...report.problems);
  files = report.files;
}
console.log(
  JSON.stringify({
    files,
    log,
    seconds: (performance.now() - began) / 1000,
    megabytes: process.resourceUsage().maxRSS / 1024,
  }),
);

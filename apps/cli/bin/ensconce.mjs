#!/usr/bin/env node
// Plain JavaScript that Node 18 understands: goes on under the Node that the project pins.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeOptions } from './node-options.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');
const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
const program = join(here, '..', 'src', 'program.ts');

if (!existsSync(node)) {
  console.error(`error: Node expected at ${node}, none found`);
  console.error('hint: run npm run setup in the folder of the project');
  process.exitCode = 1;
} else {
  // Variables that make Node or the loader run or trust something else than this program does. Left out, and the program started anew, also
  // where this is the pinned Node: a process is measured by how it was started.
  const loader = /^(?:NODE_|LD_|GLIBC_TUNABLES$|OPENSSL_)/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !loader.test(name)));
  const args = process.argv.slice(2);
  const child = spawn(node, [...nodeOptions(args), program, ...args], { stdio: 'inherit', env });
  // A terminal sends SIGINT to both processes; the others reach only this one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`error: ${node} expected to start, ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (status, signal) => {
    process.exitCode = status ?? 128 + (constants.signals[signal] ?? 0);
  });
}

/**
 * `serve-memory.ts MOUNTPOINT SPEC.json -- COMMAND …`: serves a tree while a command runs, as the runtime does inside
 * whatever namespaces it is started in. Exits with the command's code.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { serveFilesystem } from '../src/serve.ts';
import type { MemoryNode } from './memory-tree.ts';

const [mountpoint = '', specification = '', , command = '', ...args] = process.argv.slice(2);

function revive(node: MemoryNode & { text?: string }): MemoryNode {
  const children = Object.entries(node.children ?? {}).map(([name, child]) => [name, revive(child)] as const);
  return {
    ...node,
    ...(node.text === undefined ? {} : { data: Buffer.from(node.text) }),
    children: Object.fromEntries(children),
  };
}

const served = await serveFilesystem({
  mountpoint,
  worker: new URL('memory-worker.ts', import.meta.url),
  data: { root: revive(JSON.parse(readFileSync(specification, 'utf8')) as MemoryNode) },
  log: (line) => console.error(line),
});
const child = spawn(command, args, { stdio: 'inherit' });
const [code] = (await once(child, 'exit')) as [number | null];
await served.unmount({ lazy: true });
process.exitCode = code ?? 1;

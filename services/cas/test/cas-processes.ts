import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';

const ready = v.strictObject({
  port: v.number(),
  servicePort: v.number(),
  identity: v.string(),
  certificate: v.string(),
});

/** A CAS in a process of its own, whose log is the file `STATE.log`. */
export type CasProcess = v.InferOutput<typeof ready> & { readonly child: ChildProcess };

export async function startProcess(
  state: string,
  options: { readonly port?: number; readonly vendor?: string } = {},
): Promise<CasProcess> {
  const program = join(import.meta.dirname, 'cas-process.ts');
  const vendor = options.vendor === undefined ? [] : [options.vendor];
  const child = spawn(process.execPath, [program, state, String(options.port ?? 0), ...vendor], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...v.parse(ready, JSON.parse(line.toString())) };
}

import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { BundleError } from './errors.ts';

const known = ['runc', 'crun'] as const;

/** The OCI runtime to use: `wanted` by name or path, else the first of runc and crun on `path` (as in PATH). */
export function findEngine(path: string, wanted?: string): string {
  const names = wanted === undefined ? known : [wanted];
  for (const name of names) {
    const candidates = name.includes('/')
      ? [name]
      : [...path.split(delimiter), '/usr/sbin', '/sbin']
          // Root runs what is found: never what stands in the working directory.
          .filter((folder) => isAbsolute(folder))
          .map((folder) => join(folder, name));
    for (const candidate of candidates) {
      try {
        accessSync(candidate, constants.X_OK);
        if (statSync(candidate).isFile()) return candidate;
      } catch {
        // Not here; the next folder may have it.
      }
    }
  }
  throw new BundleError(
    'BUNDLE_ENGINE',
    `an OCI runtime (${names.join(' or ')}) expected on PATH, none found`,
    {
      hint: 'install one: apt-get install runc',
    },
  );
}

export interface EngineRun {
  readonly engine: string;
  /** Folder that holds config.json. */
  readonly bundle: string;
  readonly id: string;
  /** What the container's standard streams are: the caller's own, or a descriptor each. */
  readonly stdio:
    | 'inherit'
    | readonly ['ignore' | 'inherit' | number, 'inherit' | number, 'inherit' | number];
}

/** Runs a bundle to its end and returns the exit code, 128 + signal where a signal ended the OCI runtime; signals to this process are passed on by the OCI runtime itself. */
export async function runBundle(run: EngineRun): Promise<number> {
  const child = spawn(run.engine, ['run', '--bundle', run.bundle, run.id], {
    stdio: run.stdio === 'inherit' ? 'inherit' : [...run.stdio],
  });
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  // Ctrl-C reaches the OCI runtime through the terminal's process group already; here it must only not end us first.
  const ignore = (): void => undefined;
  process.on('SIGTERM', pass);
  process.on('SIGHUP', pass);
  process.on('SIGINT', ignore);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new BundleError('BUNDLE_ENGINE', `${run.engine}: cannot be started`, { cause })),
      );
      child.once('close', (code, signal) => resolve(code ?? 128 + system.signals[signal ?? 'SIGKILL']));
    });
  } finally {
    process.off('SIGTERM', pass);
    process.off('SIGHUP', pass);
    process.off('SIGINT', ignore);
  }
}

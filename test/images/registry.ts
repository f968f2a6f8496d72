/** Images from a registry, for users who bring their own. Needs skopeo. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readImage } from './native.ts';
import type { TestImage } from './oci-layout.ts';

const execute = promisify(execFile);

/** Copies `docker://REFERENCE` for this machine's architecture into an OCI layout in a temporary folder; `remove` deletes it. */
export async function registryImage(reference: string): Promise<TestImage & { remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-image-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, 'image');
  const source =
    /^[a-z-]+:/.test(reference) && !/^[^/]+:[\w.-]+$/.test(reference) ? reference : `docker://${reference}`;
  try {
    await execute('skopeo', ['copy', '--quiet', source, `oci:${path}:latest`], { maxBuffer: 16 << 20 });
    const { config } = readImage(path);
    return { path, tag: 'latest', reference: `oci:${path}:latest`, config, markers: [], remove };
  } catch (cause) {
    remove();
    const lines = (cause as { stderr?: string }).stderr?.trim().split('\n') ?? [];
    throw new Error(
      `image ${reference}: a copy by skopeo expected, it failed: ${lines.at(-1) ?? 'no reason given'}`,
      { cause },
    );
  }
}

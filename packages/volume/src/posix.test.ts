import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { accessSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createVolume } from './commands.ts';
import { mountVolume } from './mount.ts';
import type { Durability } from './settlement.ts';
import type { ServedFilesystem } from '@ensconce/fuse/serve';

function missing(): string | false {
  try {
    accessSync('/dev/fuse');
  } catch {
    return 'SKIPPED: /dev/fuse is needed';
  }
  return process.getuid?.() === 0 ? false : 'SKIPPED: mounts and other users need root';
}
const options = { skip: missing(), timeout: 900_000 };

const volumeKey = new Uint8Array(32).fill(4);

interface Here {
  readonly bare: string;
  readonly mountpoint: string;
  readonly mount: (durability?: Durability) => Promise<ServedFilesystem>;
}

function scratch(t: TestContext): Here {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-posix-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  for (const name of ['bare', 'data', 'mnt']) mkdirSync(at(name));
  createVolume({ directory: at('data'), volumeKey });
  const mount = (durability: Durability = 'settled'): Promise<ServedFilesystem> =>
    mountVolume({
      durability,
      directory: at('data'),
      mountpoint: at('mnt'),
      volumeKey,
      keeper: { kind: 'unprotected' },
      log: (line) => assert.fail(line),
    });
  return { bare: at('bare'), mountpoint: at('mnt'), mount };
}

async function python(name: string, ...args: string[]): Promise<string> {
  const script = new URL(`../test/${name}`, import.meta.url).pathname;
  const { stdout } = await promisify(execFile)('python3', [script, ...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/**
 * Not as below: set-group-id of a file that its group may not execute, which ext4 takes from who is not in the group, and
 * FUSE does not say who is.
 */
const differs = /^privileges-\w+ file missing 1000 0o755 1001 (?:3575|1527) /;

/** What the kernel keeps itself it times by its coarse clock, by which two changes may be at the same moment. */
const withoutTimes = (text: string): string =>
  text.replaceAll(/(?<= w\/[^ ]*:)[mc]+(?=[,\s])|(?<=,[^ ,]*:)[mc]+(?=[,\s])/g, '');

/** Which of the two ways of writing: through at once, or collected by the kernel. */
const ways: readonly Durability[] = ['settled', 'collected-100ms'];

for (const way of ways)
  void test(
    `every operation on every kind of object ends as on the file system below (${way})`,
    options,
    async (t) => {
      const here = scratch(t);
      const seen = (text: string): string[] => (way === 'settled' ? text : withoutTimes(text)).split('\n');
      const expected = seen(await python('posix_matrix.py', here.bare));
      const served = await here.mount(way);
      try {
        const found = seen(await python('posix_matrix.py', here.mountpoint));
        const different = expected.flatMap((line, i) =>
          line === found[i] || differs.test(line)
            ? []
            : [`${line}\n  found: ${found[i]?.slice(found[i].indexOf('->'))}`],
        );
        assert.deepEqual(different, []);
        assert.equal(found.length, expected.length);
        assert.ok(found.length > 2000, String(found.length));
      } finally {
        await served.unmount({ lazy: true });
      }
    },
  );

/** `ENSCONCE_LONG_TESTS=N` for N times as many. */
const rounds = 6 * Number(process.env['ENSCONCE_LONG_TESTS'] ?? 1);

void test('a file that is changed in every way stays what it is over remounts', options, async (t) => {
  const here = scratch(t);
  for (let round = 1; round <= rounds; round++) {
    const served = await here.mount(ways[round % 2]);
    try {
      const files = [join(here.mountpoint, 'file'), join(here.bare, 'copy')];
      await python('remounts.py', ...files, String(round), '150');
    } finally {
      await served.unmount({ lazy: true });
    }
  }
});

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DigestCache } from '@ensconce/measurement/digest-cache';
import { readManifest } from '@ensconce/measurement/folder';
import { encodeDescription, measureDescription, type ImageDescription } from '@ensconce/measurement/image';
import { manifestDigest } from '@ensconce/measurement/manifest';
import { describeProgram, measureProgram } from '@ensconce/measurement/program';
import { measureProcess } from './measure.ts';

const mountPoints = ['host', 'proc', 'dev', 'run', 'tmp', 'sys'];
const claimed: ImageDescription = {
  format: 'ensconce-image/1',
  architecture: 'amd64',
  runtime: '1'.repeat(64),
  layers: ['2'.repeat(64)],
  cas: { identity: '3'.repeat(64), simulated: true },
};

const statLine = (start: number): string => `7 (node) x) S 1 ${'0 '.repeat(17)}${start} 0 0\n`;

/** Where a fake process stands: `proc` is its folder of /proc, `root` its root. */
interface Fake {
  readonly folder: string;
  readonly proc: string;
  readonly root: string;
}

/** A /proc with one process, 7, that runs as the launcher starts the runtime. */
function fake(t: TestContext): Fake {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-las-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [proc, root] = [join(folder, 'proc', '7'), join(folder, 'root')];
  for (const path of [join(proc, 'map_files'), join(root, 'bin'), join(root, 'host', '.ensconce')])
    mkdirSync(path, { recursive: true });
  for (const name of mountPoints) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'bin', 'node'), 'node', { mode: 0o555 });
  writeFileSync(join(root, 'bin', 'libc'), 'libc');
  writeFileSync(join(root, 'runtime.mjs'), 'runtime');
  writeFileSync(join(root, 'host', '.ensconce', 'image'), encodeDescription(claimed));
  writeFileSync(join(proc, 'stat'), statLine(12));
  writeFileSync(join(proc, 'status'), 'Name:\tnode\nTracerPid:\t0\n');
  writeFileSync(join(proc, 'cmdline'), '/bin/node\0--disable-sigusr1\0/runtime.mjs\0');
  writeFileSync(join(proc, 'environ'), '');
  writeFileSync(
    join(proc, 'mountinfo'),
    ['/', '/host', '/host/etc/hosts', '/proc', '/run', '/run/root']
      .map((point, i) => `${i} 1 0:1 / ${point} rw - tmpfs tmpfs rw\n`)
      .join(''),
  );
  writeFileSync(
    join(proc, 'maps'),
    [
      '00400000-00500000 r-xp 00000000 fd:01 11                 /bin/node',
      '00500000-00600000 rw-p 00000000 fd:01 11                 /bin/node',
      '7f0000000000-7f0000001000 r-xp 00000000 fd:01 12         /bin/libc',
      '7f0000002000-7f0000003000 rwxp 00000000 00:00 0 ',
      '7f0000004000-7f0000005000 r-xp 00000000 00:00 0          [vdso]',
      '',
    ].join('\n'),
  );
  symlinkSync(join(root, 'bin', 'node'), join(proc, 'map_files', '400000-500000'));
  symlinkSync(join(root, 'bin', 'libc'), join(proc, 'map_files', '7f0000000000-7f0000001000'));
  symlinkSync(join(root, 'bin', 'node'), join(proc, 'exe'));
  symlinkSync(root, join(proc, 'root'));
  symlinkSync('/', join(proc, 'cwd'));
  return { folder, proc, root };
}

const measure = ({ folder }: Fake, cache = new DigestCache()): ReturnType<typeof measureProcess> =>
  measureProcess(7, cache, join(folder, 'proc'));

void test('a runtime is measured from its files; the digest that the image claims is replaced', (t) => {
  const process = fake(t);
  const runtime = manifestDigest(readManifest(process.root, { opaque: new Set(mountPoints) }));
  const expected = encodeDescription({ ...claimed, runtime });
  const { measurement, description } = measure(process);
  assert.deepEqual(description, expected);
  assert.equal(measurement, measureDescription(expected));
});

void test('a changed runtime has another measurement', (t) => {
  const [one, other] = [fake(t), fake(t)];
  appendFileSync(join(other.root, 'runtime.mjs'), '//');
  assert.notEqual(measure(one).measurement, measure(other).measurement);
  const preloaded = fake(t);
  mkdirSync(join(preloaded.root, 'etc'));
  writeFileSync(join(preloaded.root, 'etc', 'ld.so.preload'), '/host/evil.so');
  assert.notEqual(measure(one).measurement, measure(preloaded).measurement);
});

const refusals: readonly (readonly [string, (process: Fake) => void, RegExp])[] = [
  [
    'an environment variable',
    ({ proc }) => writeFileSync(join(proc, 'environ'), 'NODE_OPTIONS=--require=/host/x\0'),
    /an empty environment expected, 1 variables found/,
  ],
  [
    'another command line',
    ({ proc }) =>
      writeFileSync(join(proc, 'cmdline'), '/bin/node\0--disable-sigusr1\0/runtime.mjs\0--inspect\0'),
    /the command line/,
  ],
  [
    'an option of Node',
    ({ proc }) => writeFileSync(join(proc, 'cmdline'), '/bin/node\0--import=/host/x.mjs\0/runtime.mjs\0'),
    /the command line/,
  ],
  [
    'a tracer',
    ({ proc }) => writeFileSync(join(proc, 'status'), 'Name:\tnode\nTracerPid:\t99\n'),
    /a tracer, process 99 found/,
  ],
  [
    'no word of a tracer',
    ({ proc }) => writeFileSync(join(proc, 'status'), 'Name:\tnode\n'),
    /nobody traces/,
  ],
  [
    "a mount over the runtime's files",
    ({ proc }) => appendFileSync(join(proc, 'mountinfo'), '9 1 0:1 / /bin rw - tmpfs tmpfs rw\n'),
    /one on \/bin found/,
  ],
  [
    'a mount over a file',
    ({ proc }) => appendFileSync(join(proc, 'mountinfo'), '9 1 0:1 / /runtime.mjs rw - tmpfs tmpfs rw\n'),
    /one on \/runtime.mjs found/,
  ],
  [
    'a mount whose name begins like an allowed one',
    ({ proc }) => appendFileSync(join(proc, 'mountinfo'), '9 1 0:1 / /hostile rw - tmpfs tmpfs rw\n'),
    /one on \/hostile found/,
  ],
  [
    'code of an unmeasured file',
    ({ proc, folder }) => {
      writeFileSync(join(folder, 'evil.so'), 'evil');
      appendFileSync(join(proc, 'maps'), '7f0000006000-7f0000007000 r-xp 00000000 fd:01 13 /host/evil.so\n');
      symlinkSync(join(folder, 'evil.so'), join(proc, 'map_files', '7f0000006000-7f0000007000'));
    },
    /code of \/host\/evil.so found/,
  ],
  [
    'code of an unmeasured file that is called like memory',
    ({ proc, folder }) => {
      writeFileSync(join(folder, 'evil.so'), 'evil');
      appendFileSync(join(proc, 'maps'), '7f0000006000-7f0000007000 r-xp 00000000 fd:01 13 [vdso]\n');
      symlinkSync(join(folder, 'evil.so'), join(proc, 'map_files', '7f0000006000-7f0000007000'));
    },
    /code of measured files only/,
  ],
  [
    'code of a file under the inode number of a measured one',
    ({ proc, folder }) => {
      writeFileSync(join(folder, 'evil.so'), 'evil');
      appendFileSync(join(proc, 'maps'), '7f0000006000-7f0000007000 r-xp 00000000 fd:01 11 /bin/node\n');
      symlinkSync(join(folder, 'evil.so'), join(proc, 'map_files', '7f0000006000-7f0000007000'));
    },
    /code of measured files only/,
  ],
  [
    'another executable',
    ({ proc, root }) => {
      unlinkSync(join(proc, 'exe'));
      symlinkSync(join(root, 'bin', 'libc'), join(proc, 'exe'));
    },
    /another executable found/,
  ],
  ['no memory map', ({ proc }) => unlinkSync(join(proc, 'maps')), /cannot be read/],
  [
    'an image description that is a fifo',
    ({ root }) => {
      const path = join(root, 'host', '.ensconce', 'image');
      unlinkSync(path);
      execFileSync('mkfifo', [path]);
    },
    /another kind of file found/,
  ],
  [
    'an image description without end',
    ({ root }) => writeFileSync(join(root, 'host', '.ensconce', 'image'), Buffer.alloc(70_000)),
    /at most 65536 bytes expected/,
  ],
  [
    'an image description that is none',
    ({ root }) => writeFileSync(join(root, 'host', '.ensconce', 'image'), '{}'),
    /image description/,
  ],
  [
    'a fifo among the files of the runtime',
    ({ root }) => void execFileSync('mkfifo', [join(root, 'bin', 'fifo')]),
    /another kind found/,
  ],
];

for (const [what, change, message] of refusals) {
  void test(`refused: ${what}`, (t) => {
    const process = fake(t);
    change(process);
    assert.throws(() => measure(process), { message });
  });
}

void test('refused: another process under the same number, meanwhile', (t) => {
  const process = fake(t);
  const cache = new DigestCache();
  const file = cache.file.bind(cache);
  t.mock.method(cache, 'file', (path: string, follow?: boolean) => {
    writeFileSync(join(process.proc, 'stat'), statLine(13));
    return file(path, follow);
  });
  assert.throws(() => measure(process, cache), { message: /another one under its number found/ });
});

/** A checkout with one program, which the fake process runs. */
function fakeCheckout(t: TestContext): Fake & { readonly checkout: string } {
  const process = fake(t);
  const checkout = join(process.root, 'home', 'ensconce');
  mkdirSync(join(checkout, 'apps', 'cli'), { recursive: true });
  writeFileSync(join(checkout, 'package.json'), '{"name":"ensconce"}');
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  writeFileSync(join(checkout, 'apps', 'cli', 'program.ts'), 'program');
  rmSync(join(process.root, 'runtime.mjs'));
  writeFileSync(
    join(process.proc, 'cmdline'),
    '/usr/bin/node\0/home/ensconce/apps/cli/program.ts\0cas\0serve\0',
  );
  writeFileSync(join(process.proc, 'environ'), 'PATH=/bin\0HOME=/root\0');
  return { ...process, checkout };
}

void test('a program of a checkout is measured by its sources and its Node, as its own root shows them', (t) => {
  const process = fakeCheckout(t);
  const cache = new DigestCache();
  const node = cache.file(join(process.root, 'bin', 'node')).sha256;
  const expected = measureProgram(describeProgram(process.checkout, node, cache));
  assert.deepEqual(measure(process), { measurement: expected, description: undefined });
  unlinkSync(join(process.proc, 'cwd'));
  symlinkSync('/home/ensconce/apps', join(process.proc, 'cwd'));
  writeFileSync(join(process.proc, 'cmdline'), 'node\0cli/program.ts\0');
  assert.equal(measure(process).measurement, expected);
  writeFileSync(
    join(process.proc, 'cmdline'),
    'node\0--max-semi-space-size=4\0--heap-growing-percent=300\0--v8-pool-size=1\0cli/program.ts\0cas\0serve\0',
  );
  assert.equal(measure(process).measurement, expected, 'as bin/ensconce starts a server');
});

const programRefusals: readonly (readonly [
  string,
  (process: Fake & { readonly checkout: string }) => void,
])[] = [
  [
    'an option of Node',
    ({ proc }) =>
      writeFileSync(join(proc, 'cmdline'), 'node\0--import=/tmp/x.mjs\0/home/ensconce/apps/cli/program.ts\0'),
  ],
  [
    'another option among those for sizes',
    ({ proc }) =>
      writeFileSync(
        join(proc, 'cmdline'),
        'node\0--v8-pool-size=1\0--import=/tmp/x.mjs\0/home/ensconce/apps/cli/program.ts\0',
      ),
  ],
  [
    'an option that is no size',
    ({ proc }) =>
      writeFileSync(
        join(proc, 'cmdline'),
        'node\0--v8-pool-size=1 --import=x\0/home/ensconce/apps/cli/program.ts\0',
      ),
  ],
  [
    'a loader variable',
    ({ proc }) => writeFileSync(join(proc, 'environ'), 'PATH=/bin\0LD_PRELOAD=/tmp/x.so\0'),
  ],
  [
    'a script of the checkout that does not count in its measurement',
    ({ proc, checkout }) => {
      mkdirSync(join(checkout, 'tools'));
      writeFileSync(join(checkout, 'tools', 'x.ts'), '');
      writeFileSync(join(proc, 'cmdline'), 'node\0/home/ensconce/tools/x.ts\0');
    },
  ],
  ['a script of elsewhere', ({ proc }) => writeFileSync(join(proc, 'cmdline'), 'node\0/etc/x.ts\0')],
  ['no script', ({ proc }) => writeFileSync(join(proc, 'cmdline'), 'node\0')],
  ['no Node at all', ({ proc }) => writeFileSync(join(proc, 'cmdline'), '')],
];

for (const [what, change] of programRefusals) {
  void test(`no program of a checkout: ${what}`, (t) => {
    const process = fakeCheckout(t);
    change(process);
    assert.throws(() => measure(process), { code: 'LAS_NOT_MEASURABLE' });
  });
}

void test('a process that does not exist cannot be measured', () => {
  assert.throws(() => measureProcess(2 ** 30, new DigestCache()), { code: 'LAS_NOT_MEASURABLE' });
});

void test('a real process is measured through /proc', async (t) => {
  const checkout = mkdtempSync(join(tmpdir(), 'ensconce-checkout-'));
  t.after(() => rmSync(checkout, { recursive: true, force: true }));
  mkdirSync(join(checkout, 'services'));
  writeFileSync(join(checkout, 'package.json'), '{"name":"ensconce"}');
  const script = join(checkout, 'services', 'wait.mjs');
  writeFileSync(script, 'console.log("ready"); setInterval(() => {}, 1e6);');
  const child = spawn(process.execPath, [script], {
    env: { PATH: '/bin' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const cache = new DigestCache();
  const node = cache.file(process.execPath).sha256;
  const expected = measureProgram(describeProgram(checkout, node, cache));
  assert.equal(measureProcess(child.pid as number, cache).measurement, expected);
});

void test('the command line that is measured is the one that the launcher gives', () => {
  const launcher = readFileSync(
    fileURLToPath(new URL('../../runtime/launch/launch.c', import.meta.url)),
    'utf8',
  );
  const given = [...launcher.matchAll(/runtime\[\d\] = "([^"]+)";/g)].map((match) => match[1]);
  assert.deepEqual(given, ['/bin/node', '--disable-sigusr1', '/runtime.mjs']);
});

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ensconce-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A repository of one locked npm package, and a PATH of stand-ins that note how they are called. */
function fixture(name: string, { present = [] as string[], npm = '', aptGet = '' } = {}) {
  const root = join(folder, name);
  const bin = join(root, 'bin');
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(root, 'tools', 'setup'), { recursive: true });
  for (const file of [
    'start.mjs',
    ...['commands', 'debian', 'npm', 'problem', 'run'].map((part) => `setup/${part}.mjs`),
  ])
    cpSync(join(repository, 'tools', file), join(root, 'tools', file));
  mkdirSync(join(root, 'tools', 'runtime-layer'));
  for (const step of ['setup/fetch.ts', 'runtime-layer/build.ts'])
    writeFileSync(join(root, 'tools', step), '');
  const lock = JSON.stringify({
    packages: {
      [`node_modules/node-linux-${process.arch}`]: {
        version: '1.0.0',
        integrity: 'sha512-x',
        optional: true,
        os: ['linux'],
        cpu: [process.arch],
      },
    },
  });
  writeFileSync(join(root, 'package-lock.json'), lock);
  const log = join(root, 'log');
  writeFileSync(log, '');
  const script = (path: string, body: string): void => {
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
  };
  const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin');
  script(
    join(bin, 'npm'),
    `echo npm "$@" >> ${log}\n${npm || `mkdir -p ${node} && ln -sf ${process.execPath} ${node}/node && cp ${root}/package-lock.json ${root}/node_modules/.package-lock.json`}`,
  );
  script(
    join(bin, 'apt-get'),
    `echo apt-get "$@" >> ${log}\n${aptGet || `for name; do case $name in -*|install|update) ;; *) printf '#!/bin/sh\\n' > ${bin}/$name; chmod +x ${bin}/$name ;; esac; done`}`,
  );
  for (const program of present) script(join(bin, program), '');
  for (const program of ['sh', 'env', 'mkdir', 'ln', 'cp', 'chmod'])
    symlinkSync(
      execFileSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim(),
      join(bin, program),
    );
  const start = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'tools', 'start.mjs'), ...args], {
      env: { PATH: bin, CI: 'true' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const calls = (): string[] => readFileSync(log, 'utf8').split('\n').filter(Boolean);
  return { root, start, calls };
}

const everything = ['runc', 'crun', 'umoci', 'skopeo', 'mksquashfs', 'zstd', 'strace'];
const asRoot = { skip: process.getuid?.() === 0 ? false : 'SKIPPED: without root it would ask for sudo' };

void test('set-up installs what is missing, once', asRoot, () => {
  const { start, calls } = fixture('twice');
  const first = start('setup');
  assert.equal(first.status, 0, first.stderr);
  assert.match(
    first.stderr,
    /^setup: \[1\/2\] Debian packages: runc umoci .*\n(?:.*\n)*setup: \[2\/2\] npm packages/m,
  );
  assert.deepEqual(
    calls().map((call) => call.split(' ').slice(0, 2).join(' ')),
    ['apt-get -o', 'npm install'],
  );
  assert.match(calls()[0] ?? '', / install --yes --no-install-recommends runc umoci$/);
  const second = start('setup');
  assert.equal(second.status, 0, second.stderr);
  assert.equal(calls().length, 2);
});

void test('with everything there, neither npm nor apt-get is called: it works offline', () => {
  const { root, start, calls } = fixture('offline', { present: everything });
  execFileSync(join(root, 'bin', 'npm'), ['install'], { env: { PATH: join(root, 'bin') } });
  assert.equal(start('setup').status, 0);
  assert.deepEqual(calls(), ['npm install']);
});

void test('a Debian package that cannot be installed is named, with the reason and a hint', asRoot, () => {
  const { start } = fixture('unreachable', {
    aptGet: 'echo "E: Unable to locate package runc" >&2; exit 100',
  });
  const { status, stderr } = start('setup');
  assert.equal(status, 2);
  assert.match(stderr, /E: Unable to locate package runc/);
  assert.match(stderr, /^error: apt-get install runc umoci: status 0 expected, 100 found$/m);
  assert.match(stderr, /^hint: apt-get update failed too: is the package archive reachable\?$/m);
});

void test('npm that leaves out the pinned Node is noticed', () => {
  const { root, start } = fixture('no-node', {
    present: everything,
    npm: 'mkdir -p node_modules && echo \'{"packages":{}}\' > node_modules/.package-lock.json',
  });
  const { status, stderr } = start('setup');
  assert.equal(status, 2, root);
  assert.match(stderr, /^error: node_modules\/node-linux-\w+ expected after npm install .* none found$/m);
  assert.match(stderr, /^hint: npm may leave out optional packages/m);
});

void test('arguments and the exit status are passed on', asRoot, () => {
  const { root, start } = fixture('arguments', { present: everything });
  mkdirSync(join(root, 'demo'));
  writeFileSync(
    join(root, 'demo', 'main.ts'),
    'console.log(JSON.stringify(process.argv.slice(2))); process.exit(7);',
  );
  const { status, stdout } = start('demo', '--image', 'a b', '--', '-x');
  assert.equal(stdout, '["--image","a b","--","-x"]\n');
  assert.equal(status, 7);
});

void test('an unknown command is refused', () => {
  const { start } = fixture('unknown');
  const { status, stderr } = start('tset');
  assert.equal(status, 2);
  assert.match(stderr, /^error: setup, test, demo, check, bench or format expected, tset found$/m);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  void test(`${signal} reaches the command, whose tidying up is waited for`, asRoot, async () => {
    const { root, start } = fixture(signal, { present: everything });
    assert.equal(start('setup').status, 0);
    mkdirSync(join(root, 'demo'));
    writeFileSync(
      join(root, 'demo', 'main.ts'),
      `for (const signal of ['SIGINT', 'SIGTERM'])
        process.on(signal, () => setTimeout(() => { console.log('tidy after', signal); process.exit(130); }, 50));
      console.log('ready');
      setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [join(root, 'tools', 'start.mjs'), 'demo'], {
      env: { PATH: join(root, 'bin') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('ready')) child.kill(signal);
    });
    const status = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(output, `ready\ntidy after ${signal}\n`);
    assert.equal(status, 130);
  });
}

void test('SIGTERM during an installation ends it too', async () => {
  const { root } = fixture('stopped', {
    present: everything,
    npm: 'trap "echo stopped >> $0.log; exit 1" TERM; echo started >> $0.log; while :; do sleep 0.05; done',
  });
  const log = join(root, 'bin', 'npm.log');
  const child = spawn(process.execPath, [join(root, 'tools', 'start.mjs'), 'setup'], {
    env: { PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}` },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const waiting = setInterval(() => {
    if (!existsSync(log) || readFileSync(log, 'utf8') === '') return;
    clearInterval(waiting);
    child.kill('SIGTERM');
  }, 20);
  waiting.unref();
  assert.equal(await ended, 143);
  assert.equal(readFileSync(log, 'utf8'), 'started\nstopped\n');
});

void test('test options are kept, and all test files are run unless some are named', async () => {
  const { testArguments } = (await import(join(repository, 'tools/setup/commands.mjs'))) as {
    testArguments: (args: readonly string[]) => string[];
  };
  assert.ok(testArguments([]).includes('packages/**/*.test.ts'));
  assert.ok(testArguments(['--test-name-pattern', 'seal']).includes('packages/**/*.test.ts'));
  assert.deepEqual(testArguments(['--test-only', 'a.test.ts']).slice(-2), ['--test-only', 'a.test.ts']);
});

void test('the demo needs skopeo only for an image of the user', async () => {
  const { neededPackages } = (await import(join(repository, 'tools/setup/debian.mjs'))) as {
    neededPackages: (command: string, args?: readonly string[]) => string[];
  };
  assert.ok(!neededPackages('demo').includes('skopeo'));
  assert.ok(neededPackages('demo', ['--image', 'python:3.12-slim']).includes('skopeo'));
});

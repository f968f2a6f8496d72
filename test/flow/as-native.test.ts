import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { engineCapabilities, runNative } from '../images/native.ts';
import { pythonImage } from '../images/python.ts';
import type { TestImage } from '../images/oci-layout.ts';
import {
  addService,
  needsContainers,
  openWorld,
  simulationWarning,
  type Confidential,
  type World,
} from './harness.ts';
import { aboutProcess, orphanMaker, signalListener, terminalUser } from './probes.ts';

interface AboutProcess {
  status: Record<string, string>;
  limits: Record<string, [number, number]>;
  environment: Record<string, string>;
  [other: string]: unknown;
}

const python = (script: string): readonly string[] => ['/usr/bin/python3', '-c', script];

void describe('an application finds itself as in a native run', needsContainers, () => {
  let world: World;
  let native: TestImage;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    native = await pythonImage();
    image = await world.confidential('python', native, (session) => {
      addService(session, 'probe', ['/usr/bin/python3', '-c', '@@1']);
      addService(session, 'root', ['/usr/bin/python3', '-c', '@@1'], { ensconce: { user: '0' } });
      addService(session, 'shell', ['/bin/sh', '-c', '@@1']);
      addService(session, 'by', ['/usr/bin/python3', '/app/report.py', '@@2', '@@1', '--json']);
      addService(session, 'missing', ['/no/such/program']);
      addService(session, 'not-a-program', ['/app/patients.csv']);
    });
  });
  after(() => world.close());

  const about = (text: Buffer): AboutProcess => JSON.parse(text.toString()) as AboutProcess;

  void test('user, groups, umask, limits, signals, environment, descriptors, devices', async () => {
    const expected = about((await runNative(native.path, [], { command: python(aboutProcess) })).stdout);
    const found = about((await world.run(image, { service: 'probe', args: [aboutProcess] })).stdout);
    const { CapBnd: nativeBounding, ...nativeStatus } = expected.status;
    const { CapBnd: bounding, ...status } = found.status;
    assert.deepEqual(status, nativeStatus);
    assert.equal(BigInt(`0x${bounding}`) & ~BigInt(`0x${nativeBounding}`), 0n, 'no capability more');
    const { status: _, ...rest } = found;
    const { status: __, ...nativeRest } = expected;
    assert.deepEqual(rest, nativeRest);
  });

  void test('as root it has the capabilities of the engine, less those that are withheld', async () => {
    const found = about((await world.run(image, { service: 'root', args: [aboutProcess] })).stdout);
    const set = BigInt(`0x${found.status['CapEff']}`);
    const numbers = { CAP_MKNOD: 27n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n, CAP_SYS_PTRACE: 19n };
    for (const [name, number] of Object.entries(numbers)) assert.equal((set >> number) & 1n, 0n, name);
    const bits = set.toString(2).replaceAll('0', '').length;
    assert.equal(bits, engineCapabilities.length - 2);
    for (const name of ['CapPrm', 'CapBnd']) assert.equal(found.status[name], found.status['CapEff'], name);
    for (const name of ['CapInh', 'CapAmb']) assert.match(found.status[name] ?? '', /^0+$/, name);
  });

  void test('capabilities, limits and niceness that the engine sets stay what they are', async () => {
    const { stdout } = await world.run(image, {
      service: 'root',
      args: [aboutProcess],
      change: (spec) => {
        const { capabilities } = spec.process;
        for (const [name, list] of Object.entries(capabilities))
          capabilities[name] = list.filter((entry) => entry !== 'CAP_CHOWN');
        spec.process.rlimits = [
          { type: 'RLIMIT_NOFILE', soft: 100, hard: 333 },
          { type: 'RLIMIT_CORE', soft: 5, hard: 7 },
          { type: 'RLIMIT_STACK', soft: 1 << 22, hard: 1 << 23 },
        ];
        spec.process['oomScoreAdj'] = 123;
      },
    });
    const found = about(stdout);
    assert.equal(BigInt(`0x${found.status['CapEff']}`) & 1n, 0n, 'CAP_CHOWN');
    assert.deepEqual(found.limits['RLIMIT_NOFILE'], [100, 333]);
    assert.deepEqual(found.limits['RLIMIT_CORE'], [5, 7]);
    assert.deepEqual(found.limits['RLIMIT_STACK'], [1 << 22, 1 << 23]);
    assert.equal(found['adjustment'], '123\n');
  });

  void test('exit codes come back, 128 + n for a signal, 127 and 126 where there is no program', async () => {
    const status = async (service: string, ...args: string[]): Promise<number> =>
      (await world.run(image, { service, args })).status;
    assert.equal(await status('shell', 'exit 42'), 42);
    assert.equal(await status('shell', 'kill -KILL $$'), 137);
    assert.equal(await status('shell', 'kill -SEGV $$'), 139);
    const missing = await world.run(image, { service: 'missing' });
    assert.match(missing.errors, /"\/no\/such\/program" or its interpreter is not in it[^]*hint: /);
    assert.equal(missing.status, 127);
    const other = await world.run(image, { service: 'not-a-program' });
    assert.match(other.errors, /"\/app\/patients.csv" cannot be run: EACCES/);
    assert.equal(other.status, 126);
  });

  void test('arguments of the host reach @@N alone; all others are refused before anything starts', async () => {
    const both = await world.run(image, { service: 'by', args: ['diagnosis', '--by'] });
    assert.equal(both.errors, simulationWarning);
    assert.ok(Object.keys(JSON.parse(both.text) as object).includes('angina'));
    for (const [service, args, reason] of [
      ['app', ['--by', 'diagnosis'], /argument 1 is taken by no @@N/],
      ['app', ['--help'], /argument 1 is taken by no @@N/],
      ['by', ['diagnosis', '--by', '--exit=3'], /argument 3 is taken by no @@N/],
      ['by', ['diagnosis'], /a host argument for @@2 expected, 1 arguments found/],
    ] as const) {
      const refused = await world.run(image, { service, args });
      assert.match(refused.errors, reason);
      assert.match(refused.errors, /hint: the policy decides the command/);
      assert.equal(refused.text, '');
      assert.equal(refused.status, 125);
    }
  });

  void test('what is piped in comes out', async () => {
    const stdin = Buffer.alloc(3_000_000, 'every byte of it\n');
    const { stdout, status } = await world.run(image, { service: 'shell', args: ['cat'], stdin });
    assert.ok(stdout.equals(stdin), 'the same bytes');
    assert.equal(status, 0);
  });

  void test('signals are forwarded, each once, and SIGTERM ends it its own way', async () => {
    const container = world.start(image, { service: 'probe', args: [signalListener] });
    await container.until(/ready/);
    const names = 'HUP INT QUIT USR1 USR2 ALRM CONT WINCH IO URG PIPE TSTP TTIN TTOU VTALRM XCPU PWR'.split(
      ' ',
    );
    for (const name of names) {
      container.kill(name);
      await container.until(new RegExp(`got SIG${name === 'IO' ? '(?:IO|POLL)' : name}\\n`), 5000);
    }
    container.kill('TERM');
    const { status, text } = await container.finished;
    // runc's own Go runtime sends SIGURG to itself, and runc passes some of them on, as it does natively.
    assert.equal(text.match(/^got (?!SIGURG)/gm)?.length, names.length, text);
    assert.equal(status, 7);
  });

  void test('the runtime stays small beside the application, and leaves nothing behind', async (t) => {
    const mounts = (): string => readFileSync('/proc/self/mountinfo', 'utf8');
    const before = mounts();
    const container = world.start(image, { service: 'shell', args: ['echo ready; exec sleep 60'] });
    await container.until(/ready/);
    const pid = container.pid();
    const memory = (name: string): number =>
      Number(
        new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1],
      );
    t.diagnostic(
      `resident memory of the runtime: ${(memory('VmRSS') / 1024).toFixed(1)} MB, of which anonymous ${(memory('RssAnon') / 1024).toFixed(1)} MB`,
    );
    const namespace = execFileSync('readlink', [`/proc/${pid}/ns/mnt`], { encoding: 'utf8' });
    assert.ok(memory('VmRSS') <= 100 * 1024, 'at most 100 MB');
    container.kill('TERM');
    assert.equal((await container.finished).status, 143);
    assert.equal(mounts(), before);
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      let other = '';
      try {
        other = execFileSync('readlink', [`/proc/${name}/ns/mnt`], { encoding: 'utf8', stdio: 'pipe' });
      } catch {
        // It ended meanwhile, or is a kernel thread.
      }
      assert.notEqual(other, namespace, `process ${name} is left over`);
    }
  });

  void test('orphans are reaped', async () => {
    const { text } = await world.run(image, { service: 'probe', args: [orphanMaker] });
    assert.equal(text, 'zombies 0 processes [1, 2]\n');
  });

  void test('a terminal is passed through: Ctrl-C arrives once, and its size', async () => {
    const container = world.start(image, {
      service: 'probe',
      args: [terminalUser],
      open: true,
      terminal: { rows: 33, columns: 77 },
    });
    await container.until(/ready/);
    assert.match(
      container.output(),
      /\[True, True, True\] True\r\nforeground True own terminal True\r\nsize 77 33/,
    );
    container.child.stdin?.write('\x03');
    await container.until(/interrupt 1/);
    const tasks = `/proc/${container.child.pid}/task/${container.child.pid}/children`;
    const [shell] = readFileSync(tasks, 'utf8').trim().split(' ');
    execFileSync('stty', ['-F', `/proc/${shell}/fd/0`, 'rows', '50', 'cols', '100']);
    await container.until(/size 100 50/);
    container.child.stdin?.write('end\n');
    const { text, status } = await container.finished;
    assert.match(text, /interrupts 1\r\n/);
    assert.equal(text.match(/size 100 50/g)?.length, 1);
    assert.equal(status, 0);
  });
});

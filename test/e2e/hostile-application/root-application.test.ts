import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { addService, needsContainers, openWorld, type Confidential, type World } from '../../flow/harness.ts';
import { pythonImage } from '../../images/python.ts';

interface Outcome {
  readonly worked?: string;
  readonly refused?: string;
}

const attempts = readFileSync(new URL('attempts.py', import.meta.url), 'utf8');

/** What works for every application of an engine too, and reaches nothing of the runtime's. */
const harmless = new Set(['unshare user', 'user namespace: unshare pid']);

void describe('a root application against the runtime', needsContainers, () => {
  let world: World;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    image = await world.confidential('python', await pythonImage(), (session) => {
      const command = ['/usr/bin/python3', '-c', '@@1'];
      addService(session, 'root', command, { ensconce: { user: '0' } });
      addService(session, 'user', command);
      const greedy = [
        'CAP_SYS_ADMIN',
        'CAP_SYS_PTRACE',
        'CAP_NET_ADMIN',
        'CAP_MKNOD',
        'CAP_DAC_READ_SEARCH',
        'CAP_CHOWN',
      ];
      addService(session, 'greedy', command, { ensconce: { user: '0', capabilities: greedy } });
    });
  });
  after(() => world.close());

  /** The engine gives the container whatever it has: devices of TEEs, all capabilities. */
  const run = async (
    service: string,
    script: string,
    without: readonly string[] = [],
  ): Promise<Record<string, unknown>> => {
    const { text, errors, status } = await world.run(image, {
      service,
      args: [script],
      change: (spec) => {
        // Not the nodes of a guest's own TEE: a runtime that finds one never goes on with simulated hardware.
        for (const path of ['/dev/sgx_enclave', '/dev/sgx_provision', '/dev/tpm0', '/dev/kvm', '/dev/kmsg'])
          spec.linux.devices.push({ path, type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 });
        const { capabilities } = spec.process;
        for (const [name, list] of Object.entries(capabilities))
          capabilities[name] = list.filter((entry) => !without.includes(entry));
        for (const list of Object.values(capabilities))
          list.push(
            'CAP_SYS_PTRACE',
            'CAP_NET_ADMIN',
            'CAP_DAC_READ_SEARCH',
            'CAP_SYS_RAWIO',
            'CAP_SYS_BOOT',
          );
      },
    });
    assert.equal(status, 0, errors);
    return JSON.parse(text) as Record<string, unknown>;
  };

  for (const [service, without] of [
    ['root', []],
    ['greedy', []],
    ['user', []],
    // Then the runtime makes a user namespace, and the application is root in the same one.
    ['root', ['CAP_SYS_ADMIN']],
  ] as const) {
    void test(`as ${service}${without.length > 0 ? ' of a user namespace' : ''}: nothing of the runtime can be seen, read, traced or taken away`, async (t) => {
      const { processes, descriptors, connections, root, devices, mounts, ...rest } = await run(
        service,
        attempts,
        without,
      );
      assert.deepEqual(processes, [1, 2], 'processes');
      assert.deepEqual(descriptors, [0, 1, 2], 'descriptors');
      assert.deepEqual(
        [rest['descriptors of 1'], connections],
        [[], []],
        'descriptors of init, FUSE connections',
      );
      const folders = root as string[];
      for (const name of ['host', '.ensconce', 'runtime.mjs']) assert.ok(!folders.includes(name), name);
      assert.deepEqual(devices, [
        'fd',
        'full',
        'mqueue',
        'null',
        'ptmx',
        'pts',
        'random',
        'shm',
        'stderr',
        'stdin',
        'stdout',
        'tty',
        'urandom',
        'zero',
      ]);
      assert.ok(
        !(mounts as string[]).some((mount) => /fuse|configfs|\/host|cgroup/.test(mount)),
        String(mounts),
      );
      assert.equal(rest['alive after killing 1'], true);
      assert.deepEqual(rest['root after chroot'] ?? folders, folders);
      delete rest['alive after killing 1'];
      delete rest['root after chroot'];
      delete rest['descriptors of 1'];
      const worked = Object.entries(rest as Record<string, Outcome>).filter(
        ([name, outcome]) => outcome.refused === undefined && !harmless.has(name),
      );
      assert.deepEqual(worked, [], 'attempts that worked');
      t.diagnostic(`${Object.keys(rest).length} attempts refused`);
    });
  }

  void test('capabilities that reach the runtime are withheld, though engine and policy give them', async () => {
    const script =
      'import json; print(json.dumps(dict(line.rstrip().split(":\\t", 1) for line in open("/proc/self/status") if line.startswith("Cap"))))';
    const found = (await run('greedy', script)) as Record<string, string>;
    for (const name of ['CapEff', 'CapPrm', 'CapBnd']) assert.equal(BigInt(`0x${found[name]}`), 1n, name);
    for (const name of ['CapInh', 'CapAmb']) assert.equal(BigInt(`0x${found[name]}`), 0n, name);
  });
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runNative } from '../images/native.ts';
import { oddImage } from '../images/odd.ts';
import type { Spec } from './container.ts';
import {
  addService,
  needsContainers,
  openWorld,
  simulationWarning,
  type Confidential,
  type World,
} from './harness.ts';
import { commandEnvironment, program, startCas } from './services.ts';
import { start, stop } from './processes.ts';

const identity = 'import os; print(os.getresuid(), os.getresgid(), os.getgroups())';

function withoutAdministration(spec: Spec): void {
  const { capabilities } = spec.process;
  for (const [name, list] of Object.entries(capabilities))
    capabilities[name] = list.filter((entry) => entry !== 'CAP_SYS_ADMIN');
}

void describe('engines and the privileges that they give', needsContainers, () => {
  let world: World;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    image = await world.confidential('odd', await oddImage(), (session) => {
      addService(session, 'probe', ['/usr/bin/python3', '-c', '@@1']);
      addService(session, 'user', ['/usr/bin/python3', '-c', '@@1'], { ensconce: { user: '1000:1000' } });
      addService(session, 'setuid', ['/usr/bin/effective-id', '-u'], { ensconce: { user: '1000:1000' } });
      addService(session, 'setgid', ['/usr/bin/group-id', '-g'], { ensconce: { user: '1000:1000' } });
      addService(session, 'injected', ['/usr/bin/cat', '/etc/app.conf', '/odd/replaced', '/etc/hosts'], {
        ensconce: { host_files: ['/etc/hosts'] },
      });
      session.secrets.push({ name: 'password', kind: 'ascii', value: 'amber-vole' });
      session.images[0]!.injection_files = [
        { path: '/etc/app.conf', content: 'password=$$SCONE::password$$\n' },
        { path: '/odd/replaced', content: 'replaced again\n' },
        { path: '/odd/template' },
      ];
      session.images[0]!.provide_secrets = ['password'];
      addService(session, 'template', ['/usr/bin/cat', '/odd/template', '/etc/app.conf'], {
        ensconce: { user: '1000:1000' },
      });
      session.images.push({ ...session.images[0]!, name: 'withheld', provide_secrets: [] });
      addService(session, 'withheld', ['/usr/bin/cat', '/odd/template'], { image_name: 'withheld' });
    });
  });
  after(() => world.close());

  void test('setuid and setgid programs work', async () => {
    const uid = await world.run(image, { service: 'setuid' });
    assert.deepEqual([uid.text, uid.status], ['0\n', 0]);
    const gid = await world.run(image, { service: 'setgid' });
    assert.deepEqual([gid.text, gid.status], ['42\n', 0]);
  });

  void test('secrets are injected, and host files that the policy names, no others', async () => {
    const { text, errors } = await world.run(image, {
      service: 'injected',
      mounts: [{ source: '/etc/hosts', destination: '/etc/hosts', readOnly: true }],
    });
    assert.equal(errors, simulationWarning);
    assert.equal(text, `password=amber-vole\nreplaced again\n${readFileSync('/etc/hosts', 'utf8')}`);
    const other = await world.run(image, {
      service: 'probe',
      args: [
        'import os; print(os.path.exists("/etc/hosts"), os.path.exists("/host"), os.path.exists("/.ensconce"))',
      ],
      mounts: [{ source: '/etc/hosts', destination: '/etc/hosts', readOnly: true }],
    });
    assert.equal(other.text, 'True False False\n');
  });

  void test('a template of the image is filled in with what the policy provides, for the user of the service', async () => {
    const { text, errors } = await world.run(image, { service: 'template' });
    assert.equal(errors, simulationWarning);
    assert.equal(text, `pass=${Buffer.from('amber-vole').toString('hex')} $$\npassword=amber-vole\n`);
    const withheld = await world.run(image, { service: 'withheld' });
    assert.equal(withheld.text, '');
    assert.equal(withheld.status, 125);
    assert.match(
      withheld.errors,
      /template \/odd\/template of the image: it cannot be filled in[^]*"password" found/,
    );
  });

  void test(
    'crun runs the same image',
    { skip: existsSync('/usr/bin/crun') ? false : 'SKIPPED: no crun' },
    async () => {
      const expected = await runNative(image.native.path, [], {
        command: ['/usr/bin/python3', '-c', identity],
      });
      const found = await world.run(image, { engine: 'crun', service: 'probe', args: [identity] });
      assert.equal(found.errors, simulationWarning);
      assert.equal(found.text, expected.stdout.toString());
    },
  );

  void test('without CAP_SYS_ADMIN it makes a user namespace, in which root is the only user', async () => {
    const root = await world.run(image, {
      service: 'probe',
      args: [identity],
      change: withoutAdministration,
    });
    assert.equal(root.errors, simulationWarning);
    assert.match(root.text, /^\(0, 0, 0\) \(0, 0, 0\) \[/);
    const other = await world.run(image, {
      service: 'user',
      args: [identity],
      change: withoutAdministration,
    });
    assert.match(
      other.errors,
      /user: root expected where the container has no CAP_SYS_ADMIN, 1000:1000 found[^]*hint: .*full map/,
    );
    assert.equal(other.text, '');
    assert.equal(other.status, 125);
  });

  void test('in a user namespace of the engine with a full map other users work too', async () => {
    const found = await world.run(image, {
      service: 'user',
      args: [identity],
      change: (spec) => {
        spec.linux.namespaces.push({ type: 'user' });
        const whole = [{ containerID: 0, hostID: 0, size: 65_536 }];
        spec.linux['uidMappings'] = whole;
        spec.linux['gidMappings'] = whole;
        // sysfs belongs to the network's owner: as podman does it, where the network is the host's.
        spec.mounts = spec.mounts.map((mount) =>
          mount.type === 'sysfs'
            ? {
                destination: '/sys',
                type: 'bind',
                source: '/sys',
                options: ['rbind', 'ro', 'nosuid', 'noexec', 'nodev'],
              }
            : mount,
        );
      },
    });
    assert.equal(found.errors, simulationWarning);
    assert.equal(found.text, '(1000, 1000, 1000) (1000, 1000, 1000) []\n');
  });

  void test('without a network CAS cannot be reached, and that is said', async () => {
    const found = await world.run(image, { service: 'probe', args: [identity], network: 'none' });
    assert.match(
      found.errors,
      /CAS: an attestation service expected at [^]*Caused by: .*ENETUNREACH|ECONNREFUSED/,
    );
    assert.match(found.errors, /hint: check SCONE_CAS_ADDR/);
    assert.deepEqual([found.text, found.status], ['', 125]);
  });

  void test('a CAS that goes away takes neither the program nor its exit code with it', async () => {
    cpSync(join(world.folder, 'cas'), join(world.folder, 'mortal-cas'), { recursive: true });
    const mortal = await startCas(world.folder, world.las, { state: 'mortal-cas' });
    const script =
      'import sys; print("ready", flush=True); sys.stdin.readline(); print("still here"); sys.exit(5)';
    const container = world.start(image, {
      service: 'probe',
      args: [script],
      cas: mortal.service,
      open: true,
    });
    try {
      await container.until(/ready/);
    } finally {
      await stop(mortal.running, 'SIGKILL');
    }
    container.child.stdin?.end('go on\n');
    const { text, status } = await container.finished;
    assert.deepEqual([text, status], ['ready\nstill here\n', 5]);
  });

  const leftovers = (): string[] => [
    ...readdirSync(tmpdir()).filter((name) => name.startsWith('ensconce-run-')),
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes('ensconce-run-')),
  ];

  void test('ensconce run does the same by one command, and tidies up', async () => {
    const before = leftovers();
    const line = ['run', `oci:${image.path}`, '--cas', world.cas.service, '--las', world.las];
    const listed = await world.ensconce([...line, '--config-id', 'odd/setuid']);
    assert.deepEqual([listed.text, listed.errors, listed.status], ['0\n', simulationWarning, 0]);
    const arguments_ = await world.ensconce([
      ...line,
      '--config-id',
      'odd/probe',
      '--',
      'raise SystemExit(9)',
    ]);
    assert.equal(arguments_.status, 9);
    const refused = await world.ensconce([...line, '--config-id', 'odd/setuid', '--', '--verbose']);
    assert.match(refused.errors, /argument 1 is taken by no @@N/);
    assert.equal(refused.status, 125);

    const long = start(
      process.execPath,
      [
        program,
        ...line,
        '--config-id',
        'odd/probe',
        '--',
        'import time; print("ready", flush=True); time.sleep(50)',
      ],
      { env: commandEnvironment(world.folder) },
    );
    await long.until(/ready/);
    long.child.kill('SIGTERM');
    assert.equal((await long.finished).status, 143);
    assert.deepEqual(leftovers(), before);
    const containers = execFileSync('runc', ['list', '-q'], { encoding: 'utf8' });
    assert.doesNotMatch(containers, /^ensconce-/m);
  });
});

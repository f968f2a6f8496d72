import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ContainerOptions } from '../../flow/container.ts';
import {
  addService,
  needsContainers,
  openWorld,
  simulationWarning,
  type Confidential,
  type World,
} from '../../flow/harness.ts';
import type { Finished } from '../../flow/processes.ts';
import { pythonImage } from '../../images/python.ts';
import { makeEvilPrograms, type EvilPrograms } from './evil-programs.ts';

const surroundings =
  'import json, os; print(json.dumps([sorted(os.environ), sorted(os.listdir("/proc/self/fd"))[:3], os.path.exists("/evil")]))';

void describe('a host that wants its own code in the runtime', needsContainers, () => {
  let world: World;
  let image: Confidential;
  let evil: EvilPrograms;
  let expected: Finished;
  before(async () => {
    world = await openWorld();
    image = await world.confidential('python', await pythonImage(), (session) => {
      addService(session, 'probe', ['/usr/bin/python3', '-c', '@@1']);
      addService(session, 'shell', ['/bin/sh', '-c', '@@1']);
    });
    evil = await makeEvilPrograms(world.folder);
    expected = await world.run(image);
    assert.equal(expected.status, 0);
  });
  after(() => world.close());

  const attack = (
    options: ContainerOptions & { layers?: readonly string[]; service?: string } = {},
  ): Promise<Finished> =>
    world.run(image, {
      ...options,
      mounts: [{ source: evil.folder, destination: '/evil', readOnly: false }],
    });

  function withoutEffect(found: Finished): void {
    assert.ok(!existsSync(evil.marker), 'code of the attacker ran');
    assert.equal(found.errors, simulationWarning);
    assert.equal(found.text, expected.text);
    assert.equal(found.status, 0);
  }

  function refused(found: Finished, reason: RegExp, status = 125): void {
    assert.match(found.errors, reason);
    assert.match(found.errors, /hint: /);
    assert.equal(found.text, '', 'nothing of the program');
    assert.equal(found.status, status);
    assert.ok(!existsSync(evil.marker), 'code of the attacker ran');
  }

  /** A layer over the image's own ones that replaces files. */
  function over(name: string, files: Readonly<Record<string, string | Buffer>>): readonly string[] {
    const folder = join(world.folder, `over-${name}`);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content, { mode: 0o555 });
    }
    return [...image.layers, folder];
  }

  void test("the attacker's programs do run where nothing forbids it", () => {
    const library = join(evil.folder, 'evil.so');
    for (const variable of ['LD_PRELOAD', 'LD_AUDIT']) {
      execFileSync('/bin/true', { env: { [variable]: library } });
      assert.ok(existsSync(evil.marker), variable);
      rmSync(evil.marker);
    }
    // Node gives up because the library is no provider; it ran all the same.
    spawnSync(process.execPath, ['-e', 'require("tls").createSecureContext()'], {
      env: { OPENSSL_CONF: join(evil.folder, 'openssl-here.cnf') },
    });
    assert.ok(existsSync(evil.marker), 'OPENSSL_CONF');
    rmSync(evil.marker);
  });

  const variables = [
    'NODE_OPTIONS=--require=/evil/evil.cjs --require=/host/evil/evil.cjs --inspect=127.0.0.1:9333',
    'NODE_PATH=/host/evil',
    'NODE_EXTRA_CA_CERTS=/host/evil/evil.cjs',
    'NODE_V8_COVERAGE=/host/evil',
    'NODE_REPL_EXTERNAL_MODULE=/host/evil/evil.cjs',
    'NODE_TLS_REJECT_UNAUTHORIZED=0',
    'SSLKEYLOGFILE=/host/evil/ran',
    'LD_PRELOAD=/evil/evil.so /host/evil/evil.so',
    'LD_AUDIT=/evil/evil.so:/host/evil/evil.so',
    'LD_LIBRARY_PATH=/evil:/host/evil',
    'LD_DEBUG=all',
    'GLIBC_TUNABLES=glibc.malloc.check=3:glibc.rtld.nns=1',
    'OPENSSL_CONF=/host/evil/openssl.cnf',
    'OPENSSL_MODULES=/host/evil',
    'OPENSSL_ENGINES=/host/evil',
  ];

  void test('variables for Node, loader and OpenSSL are without effect and reach nobody', async () => {
    withoutEffect(await attack({ env: variables }));
    const probe = await attack({ env: variables, service: 'probe', args: [surroundings] });
    const { environment } = image.session.services[0] ?? {};
    assert.deepEqual(JSON.parse(probe.text), [
      ['HOME', ...Object.keys(environment ?? {})].sort(),
      ['0', '1', '2'],
      false,
    ]);
  });

  void test('files for loader and OpenSSL in the root of the container are without effect', async () => {
    const prepare = `mkdir -p "$root/etc/ssl" "$root/usr/lib/ssl" "$root/lib64"
      echo /evil/evil.so > "$root/etc/ld.so.preload"
      cp ${evil.folder}/openssl.cnf "$root/etc/ssl/openssl.cnf"; cp ${evil.folder}/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"
      cp ${evil.folder}/evil.so "$root/lib64/ld-linux-x86-64.so.2"`;
    withoutEffect(await attack({ prepare }));
  });

  void test('mounts over files and folders of the runtime do not follow it', async () => {
    const runtime = '"$root/.ensconce/runtime"';
    const prepare = `mount --bind ${evil.folder}/evil.cjs ${runtime}/runtime.mjs
      mount --bind ${evil.folder}/evil.so ${runtime}/lib/x86_64-linux-gnu/libc.so.6
      mount --bind ${evil.folder} ${runtime}/node_modules
      mount -t tmpfs tmpfs ${runtime}/lib64`;
    withoutEffect(await attack({ prepare }));
  });

  void test('a byte more in the runtime is another measurement, and CAS says which it expects', async () => {
    const own = readFileSync(join(world.runtimeFolder, '.ensconce/runtime/runtime.mjs'));
    const runtime = '.ensconce/runtime';
    const changed = over('changed', { [`${runtime}/runtime.mjs`]: Buffer.concat([own, Buffer.from('\n')]) });
    const reason = new RegExp(
      `CAS refused to configure python/app: CAS_SERVICE_REFUSED[^]*not trustworthy[^]*MRENCLAVE, [0-9a-f]{64}\\) - Expected ${image.measurement}`,
    );
    refused(await attack({ layers: changed }), reason);
    refused(await attack({ layers: over('more', { [`${runtime}/etc/ssl/openssl.cnf`]: '' }) }), reason);
    const prepare = `mount --bind ${join(changed.at(-1) ?? '', runtime)} "$root/mnt"`;
    const whole = `mkdir "$root/mnt" "$root/up" "$root/work"; ${prepare}
      mount -t overlay overlay -o "lowerdir=$root/mnt:$root/.ensconce/runtime" "$root/.ensconce/runtime"`;
    refused(await attack({ prepare: whole }), reason);
  });

  void test('a launcher that hands variables on gets no evidence', async () => {
    const prepare = `mount --bind ${evil.folder}/launch "$root/.ensconce/runtime/bin/launch"`;
    const found = await attack({ prepare });
    rmSync(evil.marker, { force: true });
    refused(found, /LAS_NOT_MEASURABLE[^]*an empty environment expected, 1 variables found/);
  });

  void test('a traced runtime gets no evidence', async () => {
    const wrapper = ['strace', '-f', '-qq', '-e', 'trace=none', '-e', 'signal=none'];
    const found = await attack({ wrapper });
    refused(
      found,
      /LAS_NOT_MEASURABLE[^]*a process that nobody traces expected, a tracer, process \d+ found/,
    );
  });

  void test('inherited descriptors reach neither the runtime nor the program', async () => {
    const found = await attack({
      prepare: 'exec 3</etc/passwd 4</etc/hostname 5<"$root"; set -- "$@" --preserve-fds 3',
      service: 'probe',
      args: ['import os; print(sorted(os.listdir("/proc/self/fd"))[:-1])'],
    });
    assert.equal(found.errors, simulationWarning);
    assert.equal(found.text, "['0', '1', '2']\n");
  });

  void test('SIGUSR1 opens no debugger', async () => {
    const container = world.start(image, {
      service: 'shell',
      args: ['trap "echo usr1" USR1; echo ready; while :; do sleep 0.1; done'],
    });
    await container.until(/ready/);
    container.kill('USR1');
    await container.until(/usr1/);
    const listening = readFileSync(`/proc/${container.pid()}/net/tcp`, 'utf8');
    assert.doesNotMatch(listening, /:240D [0-9A-F:]+ 0A/, 'port 9229');
    assert.doesNotMatch(container.errors(), /Debugger/);
    container.kill('KILL');
    assert.equal((await container.finished).status, 137);
  });
});

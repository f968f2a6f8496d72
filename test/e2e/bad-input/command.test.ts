import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  measuredCas,
  needsContainers,
  openWorld,
  type Confidential,
  type World,
} from '../../flow/harness.ts';
import { run, type Finished } from '../../flow/processes.ts';
import { commandEnvironment, program } from '../../flow/services.ts';
import type { TestImage } from '../../images/oci-layout.ts';
import { pythonImage } from '../../images/python.ts';
import { staticImage } from '../../images/static.ts';
import { withTopLayer, withTopLayerFile } from './broken-images.ts';

/** One line of what was expected and found, one of what to do, nothing of our own insides. */
function oneError(found: Finished, reason: RegExp, status = 1): void {
  const lines = found.errors.split('\n').filter((line) => line !== '' && !/^(?:image|warning): /.test(line));
  assert.match(lines[0] ?? '', /^error: /, found.errors);
  assert.match(lines[0] ?? '', reason);
  assert.match(lines[1] ?? '', /^hint: /, found.errors);
  assert.equal(lines.length, 2, found.errors);
  assert.doesNotMatch(found.errors, /this should not have happened|^\s+at |node:internal/m);
  assert.equal(found.text, '');
  assert.equal(found.status, status);
}

void describe('bad input at the command line', needsContainers, () => {
  let world: World;
  let native: TestImage;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    native = await staticImage();
    image = await world.confidential('static', native);
  });
  after(() => world.close());

  let count = 0;
  /** Transforms what cannot be transformed, and looks for half-made results. */
  async function transform(from: string, reason: RegExp, status = 1): Promise<void> {
    const to = join(world.folder, `to-${count++}`);
    const session = `${to}.yml`;
    const found = await world.ensconce([
      'image',
      '--from',
      from,
      '--to',
      `oci:${to}`,
      '--name',
      'bad',
      '--session',
      session,
    ]);
    oneError(found, reason, status);
    assert.ok(!existsSync(join(to, 'index.json')), 'no image');
    assert.ok(!existsSync(session), 'no session');
  }

  const place = (name: string): string => join(world.folder, `from-${name}`);

  void test('an image that is none', async () => {
    const empty = place('empty');
    mkdirSync(empty);
    await transform(`oci:${empty}`, /image: [^]*expected/);
    await transform(`oci:${place('nowhere')}`, /image: [^]*expected/);
    writeFileSync(join(empty, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(empty, 'index.json'), '{"manifests": 7}');
    await transform(`oci:${empty}`, /index[^]*expected/i);
    await transform('docker://alpine', /oci:DIR\[:TAG\] expected/);
  });

  void test('a blob that is missing, shorter, or other than its digest', async () => {
    await transform(withTopLayerFile(native, place('missing'), undefined), /sha256:[0-9a-f]{64}/);
    await transform(
      withTopLayerFile(native, place('short'), (bytes) => bytes.subarray(0, -9)),
      /bytes expected/,
    );
    const flip = (bytes: Buffer): Buffer => {
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      return bytes;
    };
    await transform(withTopLayerFile(native, place('flipped'), flip), /expected/);
  });

  void test('a layer that is cut off, no archive, or not what the configuration says', async () => {
    const cut = withTopLayer(native, place('cut'), (bytes) => bytes.subarray(0, bytes.length >> 1));
    await transform(cut, /layer[^]*expected/);
    const noise = withTopLayer(native, place('noise'), () => gzipSync(Buffer.alloc(4096, 'no tar')));
    await transform(noise, /expected/);
    await transform(
      withTopLayer(native, place('plain'), () => Buffer.alloc(2048, 'x')),
      /expected/,
    );
    await transform(
      withTopLayer(native, place('other'), () => gzipSync(Buffer.alloc(1024))),
      /expected/,
    );
  });

  void test('a disk that is full', async () => {
    const to = join(world.folder, 'small-disk');
    mkdirSync(to);
    const { reference } = await pythonImage();
    const line = `mount -t tmpfs -o size=5m tmpfs "$1"; node=$2; shift 2
      "$node" "$@"; status=$?
      ls "$to" >/dev/null; [ ! -e "$to/index.json" ] || echo "an image is there"
      exit $status`;
    const args = [
      'image',
      '--from',
      reference,
      '--to',
      `oci:${to}`,
      '--name',
      'full',
      '--session',
      `${to}.yml`,
    ];
    const found = await run(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        line.replaceAll('"$to', `"${to}`),
        'sh',
        to,
        process.execPath,
        program,
        ...args,
      ],
      { env: commandEnvironment(world.folder) },
    );
    oneError(found, /ENOSPC|full/);
    assert.ok(!existsSync(`${to}.yml`), 'no session');
  });

  void test('a policy with keys that nobody knows', async () => {
    const file = join(world.folder, 'unknown.yml');
    writeFileSync(file, 'name: unknown\nversion: "0.3"\nservises: []\n');
    const created = await world.ensconce(['session', 'create', file]);
    oneError(created, /unknown\.yml:3:1: .*servises.*services/);
    const checked = await world.ensconce(['session', 'check', file]);
    assert.equal(checked.status, 1);
    assert.match(checked.text + checked.errors, /unknown\.yml:3:1: .*servises/);
  });

  void test('a CAS that is down, and one that was never attested', async () => {
    const file = join(world.folder, 'static.yml');
    oneError(await world.ensconce(['session', 'create', file, '--cas', '127.0.0.1:9']), /127\.0\.0\.1:9/, 4);
    const measured = measuredCas();
    oneError(
      await world.ensconce(['cas', 'attest', '127.0.0.1:9', '--mrenclave', measured]),
      /127\.0\.0\.1:9: an answer expected/,
      5,
    );
  });

  void test('a CAS of another measurement, or on simulated hardware, is not remembered', async () => {
    const wrong = ['cas', 'attest', world.cas.client, '--mrenclave', 'ab'.repeat(32)];
    const state = { SCONE_CLI_CONFIG: join(world.folder, 'other-state', 'config.json') };
    oneError(
      await world.ensconce([...wrong, '--insecure-accept-simulation', world.vendor], { env: state }),
      new RegExp(`(?:MRENCLAVE|measurement)[^]*${'ab'.repeat(32)}`, 'i'),
      4,
    );
    oneError(await world.ensconce(wrong, { env: state }), /simulat|root/i, 4);
    const file = join(world.folder, 'static.yml');
    const create = ['session', 'create', file, '--cas', world.cas.client];
    oneError(await world.ensconce(create, { env: state }), /attested/, 4);
  });

  const runLine = (las: string, ...more: string[]): string[] => [
    'run',
    `oci:${image.path}`,
    '--cas',
    world.cas.service,
    '--las',
    las,
    ...more,
  ];

  void test('a LAS that is down', async () => {
    oneError(
      await world.ensconce(runLine(join(world.folder, 'no.sock'))),
      /no\.sock: the socket of a LAS expected, none found/,
    );
    const stale = join(world.folder, 'stale.sock');
    await run(process.execPath, [
      '-e',
      `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 9))`,
    ]);
    const found = await world.run(image, { las: stale });
    assert.match(
      found.errors,
      /LAS: an? [^]* expected at [^]*ensconce\/las\.sock, none [^]*hint: start [^]*ensconce las serve/,
    );
    assert.deepEqual([found.text, found.status], ['', 125]);
  });

  void test('no /dev/fuse, on the host or in the container', async () => {
    const hide = `mount -t tmpfs tmpfs /dev; for d in null:3 zero:5 urandom:9; do mknod -m 666 "/dev/\${d%:*}" c 1 "\${d#*:}"; done; exec "$@"`;
    const found = await run(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        hide,
        'sh',
        process.execPath,
        program,
        ...runLine(world.las),
      ],
      { env: commandEnvironment(world.folder) },
    );
    oneError(found, /\/dev\/fuse expected, it is not there/);
    const container = await world.run(image, { change: (spec) => (spec.linux.devices = []) });
    assert.match(container.errors, /\/dev\/fuse[^]*hint: /);
    assert.deepEqual([container.text, container.status], ['', 125]);
  });

  void test('no OCI runtime, and an image that is not confidential', async () => {
    oneError(
      await world.ensconce(runLine(world.las, '--engine', '/no/such/runc')),
      /\/no\/such\/runc[^]*expected/,
    );
    oneError(
      await world.ensconce(['run', native.reference, '--las', world.las]),
      /a confidential image expected, another found/,
    );
  });

  void test('a session that was never created', async () => {
    oneError(await world.ensconce(['session', 'read', 'nowhere']), /nowhere/, 3);
  });
});

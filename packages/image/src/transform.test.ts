import assert from 'node:assert/strict';
import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { measureDescription } from '@ensconce/measurement/image';
import { sessionFor, sessionYaml } from './session.ts';
import {
  filesOf,
  makeImage,
  tarOf,
  temporaryDirectory,
  transformOptions,
  type Packing,
} from './test/images.ts';
import { find, openImage, textOf } from './test/sealed.ts';
import { transformImage } from './transform.ts';

const base = tarOf([
  { name: 'bin/', type: '5', mode: 0o755 },
  { name: 'bin/app', body: 'marker-program '.repeat(5000), mode: 0o4755 },
  { name: 'marker-removed', body: 'old' },
]);
const top = (text: string) =>
  tarOf([
    { name: 'marker-name.txt', body: text },
    { name: '.wh.marker-removed', body: '' },
  ]);
const config = {
  author: 'marker-author',
  config: {
    Entrypoint: ['/bin/app'],
    Cmd: ['--marker-argument', 'with space'],
    Env: ['MARKER=marker value', 'EMPTY='],
    WorkingDir: '/marker-dir',
    User: '1000:1000',
    Labels: { 'marker-label': 'x' },
    ExposedPorts: { '5432/tcp': {} },
    StopSignal: 'SIGQUIT',
  },
};

for (const packing of ['gzip', 'zstd', 'none'] as Packing[]) {
  void test(`an image of ${packing} layers is sealed whole, and nothing of it stays readable`, async (t) => {
    const scratch = temporaryDirectory(t);
    makeImage(join(scratch, 'in'), [base, top('marker-content')], { config, packing });
    const to = join(scratch, 'out');
    const result = await transformImage(transformOptions(scratch, join(scratch, 'in'), to));
    const tree = openImage(to, result);
    assert.equal(textOf(tree, 'marker-name.txt'), 'marker-content');
    assert.equal(textOf(tree, 'bin/app'), 'marker-program '.repeat(5000));
    assert.equal(tree.attributes(find(tree, 'bin/app') as number).mode, 0o4755);
    assert.equal(find(tree, 'marker-removed'), undefined);
    assert.deepEqual(result.config, {
      command: ['/bin/app', '--marker-argument', 'with space'],
      environment: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        MARKER: 'marker value',
        EMPTY: '',
      },
      workingDirectory: '/marker-dir',
      user: '1000:1000',
    });
    const files = filesOf(to);
    for (const [name, bytes] of files) {
      assert.ok(!/marker/i.test(bytes.toString('latin1')), `${name} shows nothing of the original`);
      assert.ok(!bytes.includes('5432'));
    }
    assert.deepEqual(readdirSync(to).toSorted(), ['blobs', 'index.json', 'oci-layout']);
    const described = [...files.values()].find(
      (bytes) => bytes.includes('ensconce-image/1') && bytes.length === 512 * 5,
    );
    assert.ok(described, 'the description stands in a layer of its own');
    const size = Number.parseInt(described.subarray(512 + 124, 512 + 135).toString('latin1'), 8);
    assert.equal(measureDescription(described.subarray(1024, 1024 + size)), result.measurement);
  });
}

void test('the same input and secret give the same bytes; another secret gives others', async (t) => {
  const scratch = temporaryDirectory(t);
  const from = join(scratch, 'in');
  makeImage(from, [base, top('one')], { config });
  const options = (to: string) => transformOptions(scratch, from, join(scratch, to));
  const first = await transformImage(options('a'));
  const second = await transformImage(options('b'));
  assert.equal(first.measurement, second.measurement);
  assert.deepEqual(filesOf(join(scratch, 'a')), filesOf(join(scratch, 'b')));
  const other = await transformImage({ ...options('c'), familySecret: new Uint8Array(32).fill(8) });
  assert.notEqual(other.layers[0]?.root, first.layers[0]?.root);
});

void test('unchanged layers are used again, unless they are damaged', async (t) => {
  const scratch = temporaryDirectory(t);
  const to = join(scratch, 'out');
  makeImage(join(scratch, 'one'), [base, top('one')]);
  makeImage(join(scratch, 'two'), [base, top('two')]);
  const first = await transformImage(transformOptions(scratch, join(scratch, 'one'), to));
  const changed = transformOptions(scratch, join(scratch, 'two'), to);
  const second = await transformImage(changed);
  assert.deepEqual(
    second.layers.map(({ reused }) => reused),
    [true, false],
  );
  assert.equal(second.layers[0]?.digest, first.layers[0]?.digest);
  const path = join(to, 'blobs', 'sha256', (first.layers[0]?.digest ?? '').slice(7));
  const bytes = readFileSync(path);
  bytes[bytes.length - 2000] = (bytes[bytes.length - 2000] as number) ^ 1;
  writeFileSync(path, bytes);
  const third = await transformImage(changed);
  assert.deepEqual(
    third.layers.map(({ reused }) => reused),
    [false, true],
  );
  assert.equal(textOf(openImage(to, third), 'bin/app'), 'marker-program '.repeat(5000));
});

void test('several images live in one layout, each under its tag', async (t) => {
  const scratch = temporaryDirectory(t);
  makeImage(join(scratch, 'in'), [base]);
  const to = join(scratch, 'out');
  for (const tag of ['a', 'b', 'a'])
    await transformImage({
      ...transformOptions(scratch, join(scratch, 'in'), to),
      to: { directory: to, tag },
    });
  const index = JSON.parse(readFileSync(join(to, 'index.json'), 'utf8')) as { manifests: unknown[] };
  assert.equal(index.manifests.length, 2);
});

void test('the session holds command, environment, user and keys; its YAML reads back', async (t) => {
  const scratch = temporaryDirectory(t);
  makeImage(join(scratch, 'in'), [base], { config });
  const result = await transformImage(transformOptions(scratch, join(scratch, 'in'), join(scratch, 'out')));
  const session = sessionFor(result, { name: 'demo', service: 'app', acceptSimulation: true });
  assert.deepEqual(parse(sessionYaml(session), { version: '1.1' }), session);
  assert.deepEqual(session, {
    name: 'demo',
    version: '0.3.12',
    services: [
      {
        name: 'app',
        image_name: 'app_image',
        command: ['/bin/app', '--marker-argument', 'with space'],
        environment: result.config.environment,
        pwd: '/marker-dir',
        attestation: [{ mrenclave: [result.measurement] }],
        ensconce: { user: '1000:1000' },
      },
    ],
    images: [
      {
        name: 'app_image',
        ensconce: { layers: [{ root: result.layers[0]?.root, key: '$$SCONE::layer_key_0:hex$$' }] },
      },
    ],
    secrets: [{ name: 'layer_key_0', kind: 'binary', value: result.layers[0]?.keyHex }],
    ensconce: { accept_simulation: true },
  });
});

const policyText: readonly [string, object][] = [
  ['a variable in an argument', { Entrypoint: ['/bin/app', '$$SCONE::layer_key_0:hex$$'] }],
  ['a host argument', { Entrypoint: ['/bin/app', '@@1'] }],
  ['a variable in the environment', { Entrypoint: ['/bin/app'], Env: ['A=$$SCONE::x$$'] }],
  ['a variable as the user', { Entrypoint: ['/bin/app'], User: '$$SCONE::x$$' }],
];
for (const [what, own] of policyText) {
  void test(`${what} of the image does not become policy language`, async (t) => {
    const scratch = temporaryDirectory(t);
    makeImage(join(scratch, 'in'), [base], { config: { config: own } });
    const result = await transformImage(transformOptions(scratch, join(scratch, 'in'), join(scratch, 'out')));
    const make = () => sessionFor(result, { name: 'demo', service: 'app', acceptSimulation: false });
    assert.throws(make, { code: 'IMAGE_TEXT' });
  });
}

void test('what the caller gives may be policy language', async (t) => {
  const scratch = temporaryDirectory(t);
  makeImage(join(scratch, 'in'), [base], { config });
  const result = await transformImage({
    ...transformOptions(scratch, join(scratch, 'in'), join(scratch, 'out')),
    overrides: { command: ['@@1'], environment: { KEY: '$$SCONE::key$$' } },
  });
  const session = sessionFor(result, { name: 'demo', service: 'app', acceptSimulation: false }) as {
    services: { command: string[]; environment: Record<string, string> }[];
  };
  assert.deepEqual(session.services[0]?.command, ['/bin/app', '@@1']);
  assert.equal(session.services[0]?.environment['KEY'], '$$SCONE::key$$');
});

void test('an aborted transform leaves nothing that looks like an image', async (t) => {
  const scratch = temporaryDirectory(t);
  makeImage(join(scratch, 'in'), [base, top('x')]);
  const to = join(scratch, 'out');
  const abort = new AbortController();
  await assert.rejects(
    transformImage({
      ...transformOptions(scratch, join(scratch, 'in'), to),
      signal: abort.signal,
      onProgress: () => abort.abort(),
    }),
    { name: 'AbortError' },
  );
  assert.ok(!readdirSync(to).includes('index.json'));
  assert.ok(!readdirSync(to).some((name) => name.startsWith('.making-')));
});

type Break = (scratch: string) => unknown;
const layerOf = (image: ReturnType<typeof makeImage>) => (image.layers[0] as { digest: string }).digest;
const bad: readonly [string, string, Break][] = [
  ['a folder that is no layout', 'IMAGE_LAYOUT', () => {}],
  [
    'a missing layer',
    'IMAGE_BLOB_MISSING',
    (scratch) => {
      const image = makeImage(scratch, [base], {
        change: ({ manifest }) => {
          const [layer] = manifest['layers'] as { digest: string }[];
          if (layer) layer.digest = `sha256:${'0'.repeat(64)}`;
        },
      });
      return image;
    },
  ],
  [
    'a changed layer',
    'IMAGE_DIGEST',
    (scratch) => {
      const image = makeImage(scratch, [base], { packing: 'none' });
      image.damage(layerOf(image), (bytes) => bytes.fill(0x41, 700, 701));
    },
  ],
  [
    'a changed compressed layer',
    'IMAGE_DIGEST',
    (scratch) => {
      const image = makeImage(scratch, [base]);
      image.damage(layerOf(image), (bytes) => bytes.fill(0x41, 4, 5));
    },
  ],
  [
    'a truncated layer',
    'IMAGE_DIGEST',
    (scratch) => {
      const image = makeImage(scratch, [base]);
      truncateSync(join(scratch, 'blobs', 'sha256', layerOf(image).slice(7)), 50);
    },
  ],
  [
    'a compressed layer changed in its middle',
    'IMAGE_DIGEST',
    (scratch) => {
      const image = makeImage(scratch, [base]);
      image.damage(layerOf(image), (bytes) => bytes.fill(0x41, 60, 70));
    },
  ],
  [
    'a truncated gzip stream',
    'IMAGE_COMPRESSION',
    (scratch) => makeImage(scratch, [base], { repack: (packed) => packed.subarray(0, -20) }),
  ],
  [
    'a truncated zstd stream',
    'IMAGE_COMPRESSION',
    (scratch) => makeImage(scratch, [base], { packing: 'zstd', repack: (packed) => packed.subarray(0, -20) }),
  ],
  [
    'a layer that is not gzip',
    'IMAGE_COMPRESSION',
    (scratch) => makeImage(scratch, [base], { repack: () => Buffer.from('text') }),
  ],
  ['a layer that is no tar', 'IMAGE_TAR', (scratch) => makeImage(scratch, [Buffer.alloc(2000, 'x')])],
  [
    'a layer that leaves the root',
    'IMAGE_TAR',
    (scratch) => makeImage(scratch, [tarOf([{ name: '../../etc/passwd', body: 'x' }])]),
  ],
  [
    'another diff id',
    'IMAGE_DIGEST',
    (scratch) =>
      makeImage(scratch, [base], {
        config: { rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] } },
      }),
  ],
  [
    'a diff id too few',
    'IMAGE_SCHEMA',
    (scratch) => makeImage(scratch, [base], { config: { rootfs: { type: 'layers', diff_ids: [] } } }),
  ],
  [
    'a digest that is a path',
    'IMAGE_SCHEMA',
    (scratch) =>
      makeImage(scratch, [base], {
        change: ({ index }) => {
          index['manifests'] = [
            { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: 'sha256:../../x', size: 1 },
          ];
        },
      }),
  ],
  [
    'an unknown layer type',
    'IMAGE_MEDIA_TYPE',
    (scratch) =>
      makeImage(scratch, [base], {
        change: ({ manifest }) => {
          const [layer] = manifest['layers'] as { mediaType: string }[];
          if (layer) layer.mediaType += '+encrypted';
        },
      }),
  ],
  [
    'another platform',
    'IMAGE_PLATFORM',
    (scratch) => makeImage(scratch, [base], { config: { architecture: 'arm64' } }),
  ],
  [
    'an image without a command',
    'IMAGE_COMMAND',
    (scratch) => makeImage(scratch, [base], { config: { config: {} } }),
  ],
  ['an image without layers', 'IMAGE_SCHEMA', (scratch) => makeImage(scratch, [])],
];
for (const [what, code, make] of bad) {
  void test(`${what} is refused, and no image is made`, async (t) => {
    const scratch = temporaryDirectory(t);
    make(join(scratch, 'in'));
    const to = join(scratch, 'out');
    await assert.rejects(
      transformImage(transformOptions(scratch, join(scratch, 'in'), to)),
      (error: Error) => {
        assert.equal((error as { code?: string }).code, code, error.stack ?? '');
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
    const left = filesOf(scratch);
    assert.ok(
      ![...left.keys()].some((name) => name.startsWith('out/index.json') || name.includes('.making-')),
    );
  });
}

void test('a destination with other files in it is left alone', async (t) => {
  const scratch = temporaryDirectory(t);
  makeImage(join(scratch, 'in'), [base]);
  await assert.rejects(transformImage(transformOptions(scratch, join(scratch, 'in'), scratch)), {
    code: 'IMAGE_OUTPUT',
  });
});

void test('files behind a link of a lower layer are refused, behind a listed directory are not', async (t) => {
  const scratch = temporaryDirectory(t);
  const linked = tarOf([
    { name: 'usr/lib/libc', body: 'c' },
    { name: 'lib', type: '2', link: 'usr/lib' },
  ]);
  makeImage(join(scratch, 'behind'), [linked, tarOf([{ name: 'lib/x', body: 'x' }])]);
  await assert.rejects(
    transformImage(transformOptions(scratch, join(scratch, 'behind'), join(scratch, 'a'))),
    { code: 'IMAGE_TAR' },
  );
  const listed = tarOf([
    { name: 'lib/', type: '5' },
    { name: 'lib/x', body: 'x' },
  ]);
  makeImage(join(scratch, 'listed'), [linked, listed]);
  const result = await transformImage(transformOptions(scratch, join(scratch, 'listed'), join(scratch, 'b')));
  assert.equal(textOf(openImage(join(scratch, 'b'), result), 'lib/x'), 'x');
});

void test('a confidential image is not transformed again, an original not overwritten', async (t) => {
  const scratch = temporaryDirectory(t);
  const from = join(scratch, 'in');
  makeImage(from, [base]);
  const to = join(scratch, 'out');
  await transformImage(transformOptions(scratch, from, to));
  await assert.rejects(transformImage(transformOptions(scratch, to, join(scratch, 'again'))), {
    code: 'IMAGE_CONFIDENTIAL',
  });
  await assert.rejects(transformImage(transformOptions(scratch, from, from)), { code: 'IMAGE_OUTPUT' });
});

void test('a tag that the layout does not have is named with those that it has', async (t) => {
  const scratch = temporaryDirectory(t);
  makeImage(join(scratch, 'in'), [base]);
  const options = transformOptions(scratch, join(scratch, 'in'), join(scratch, 'out'));
  await assert.rejects(transformImage({ ...options, from: { ...options.from, tag: 'other' } }), {
    code: 'IMAGE_REFERENCE',
    hint: 'the layout has the tags: app',
  });
});

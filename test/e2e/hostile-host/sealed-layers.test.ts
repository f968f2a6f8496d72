import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { needsContainers, openWorld, type Confidential, type World } from '../../flow/harness.ts';
import type { Finished } from '../../flow/processes.ts';
import { pythonImage } from '../../images/python.ts';
import { alpineLikeImage, staticImage } from '../../images/static.ts';

const sealed = (layer: string, position: number): string =>
  join(layer, '.ensconce', 'layers', `${String(position).padStart(3, '0')}.sealed`);

void describe('a host or a registry that changes sealed layers', needsContainers, () => {
  let world: World;
  let small: Confidential;
  let python: Confidential;
  let musl: Confidential;
  before(async () => {
    world = await openWorld();
    small = await world.confidential('static', await staticImage());
    python = await world.confidential('python', await pythonImage());
    musl = await world.confidential('musl', await alpineLikeImage());
  });
  after(() => world.close());

  let count = 0;
  /** The image's layers with other sealed files at some positions, as a layer of the host's over them. */
  function withSealed(image: Confidential, files: ReadonlyMap<number, Uint8Array>): readonly string[] {
    const folder = join(world.folder, `changed-${count++}`);
    for (const [position, content] of files) {
      mkdirSync(join(folder, '.ensconce', 'layers'), { recursive: true });
      writeFileSync(sealed(folder, position), content);
    }
    return [...image.layers, folder];
  }

  const original = (image: Confidential, position: number): Buffer =>
    readFileSync(sealed(image.layers[position + 1] as string, position));

  function refused(found: Finished, what: string): void {
    assert.match(found.errors, /\[ENSCONCE\|FATAL\] (?:the sealed layers|CAS refused)[^]*Caused by: /, what);
    assert.equal(found.text, '', `${what}: nothing of the program`);
    assert.equal(found.status, 125, what);
  }

  void test('one flipped bit anywhere refuses the start', async () => {
    const bytes = original(small, 0);
    const { length } = bytes;
    for (const at of [0, 9, 40, length >> 2, length >> 1, length - (length >> 2), length - 60, length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      refused(
        await world.run(small, { layers: withSealed(small, new Map([[0, changed]])) }),
        `byte ${at} of ${length}`,
      );
    }
  });

  void test('a layer that is shorter, longer, empty or missing is refused', async () => {
    const bytes = original(small, 0);
    for (const [what, changed] of [
      ['a byte less', bytes.subarray(0, -1)],
      ['half', bytes.subarray(0, bytes.length >> 1)],
      ['a byte more', Buffer.concat([bytes, Buffer.from([0])])],
      ['empty', Buffer.alloc(0)],
    ] as const)
      refused(await world.run(small, { layers: withSealed(small, new Map([[0, changed]])) }), what);
    const without = small.layers.filter((_, index) => index !== 1);
    refused(await world.run(small, { layers: without }), 'missing');
  });

  void test("layers in another order, twice, or another image's are refused", async () => {
    const [first, second] = [original(python, 0), original(python, 1)];
    const others: readonly (readonly [string, ReadonlyMap<number, Uint8Array>])[] = [
      [
        'another order',
        new Map([
          [0, second],
          [1, first],
        ]),
      ],
      ['twice the same', new Map([[1, first]])],
      ["another image's", new Map([[2, original(musl, 0)]])],
    ];
    for (const [what, files] of others)
      refused(await world.run(python, { layers: withSealed(python, files) }), what);
  });

  void test("another image's description is another measurement", async () => {
    const layers = [...python.layers.slice(0, -1), musl.layers.at(-1) as string];
    const found = await world.run(python, { layers });
    refused(found, 'description');
    assert.match(
      found.errors,
      new RegExp(`MRENCLAVE, ${musl.measurement}\\) - Expected ${python.measurement}`),
    );
  });

  void test('a description that is changed after the start changes nothing', async () => {
    const container = world.start(small, { change: (spec) => spec.process.env.push('SCONE_LOG=DEBUG') });
    await container.until(/attested and configured/);
    writeFileSync(
      join('/proc', String(container.child.pid), 'root', container.work, 'memory/rootfs/.ensconce/image'),
      '{}',
    );
    assert.match((await container.finished).text, /indigo-marten/);
  });

  void test('ensconce run does not even unpack a blob that is not what its digest says', async () => {
    const copy = join(world.folder, 'images', 'flipped');
    cpSync(small.path, copy, { recursive: true });
    const blobs = join(copy, 'blobs', 'sha256');
    const sizes = readdirSync(blobs).map((name) => [name, statSync(join(blobs, name)).size] as const);
    const [, [name] = ['', 0]] = sizes.toSorted(([, a], [, b]) => b - a);
    const bytes = readFileSync(join(blobs, name));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    writeFileSync(join(blobs, name), bytes);
    const line = ['run', `oci:${copy}`, '--cas', world.cas.service, '--las', world.las];
    const { status, text, errors } = await world.ensconce(line);
    assert.match(errors, /layer: the blob sha256:[0-9a-f]{64} expected, sha256:[0-9a-f]{64} found\nhint: /);
    assert.deepEqual([status, text], [1, '']);
  });

  /** What anybody can make of a blob without a key. */
  function readings(bytes: Buffer): Buffer[] {
    const made = [bytes];
    for (const decompress of [gunzipSync, zstdDecompressSync]) {
      try {
        made.push(decompress(bytes));
      } catch {
        // It is no such stream.
      }
    }
    return made;
  }

  /** Three bytes stand in a few megabytes of ciphertext by chance. */
  const searched = (image: Confidential): string[] =>
    image.native.markers.filter((marker) => marker.length > 3);

  void test('no blob but the runtime layer has plaintext of the original, its history, labels or names', () => {
    for (const image of [small, python, musl]) {
      const blobs = join(image.path, 'blobs', 'sha256');
      const runtime = world.runtime.layer.digest.replace('sha256:', '');
      const names = readdirSync(blobs).filter((name) => name !== runtime);
      assert.ok(names.length >= 4, 'blobs');
      const files = [...names.map((name) => join(blobs, name)), join(image.path, 'index.json')];
      for (const file of files) {
        for (const bytes of readings(readFileSync(file))) {
          for (const marker of [...searched(image), 'python3', 'passwd', 'created_by'])
            assert.ok(!bytes.includes(marker), `${marker} in ${file}`);
        }
      }
      // The search finds what is there: the originals have every marker somewhere.
      const own = join(image.native.path, 'blobs', 'sha256');
      const originals = readdirSync(own).flatMap((name) => readings(readFileSync(join(own, name))));
      for (const marker of image.native.markers)
        assert.ok(
          originals.some((bytes) => bytes.includes(marker)),
          `${marker} in the original`,
        );
    }
  });
});

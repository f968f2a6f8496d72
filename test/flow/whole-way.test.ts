import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runNative } from '../images/native.ts';
import { oddImage } from '../images/odd.ts';
import { pythonImage } from '../images/python.ts';
import { alpineLikeImage, distrolessImage, staticImage } from '../images/static.ts';
import { needsContainers, openWorld, simulationWarning, type World } from './harness.ts';

/**
 * umoci unpacks all layers into one folder. Engines stack them, as we do: a file keeps the link count that it has in
 * its own layer when an upper layer replaces one of its names.
 */
const unpackedByLayers: Readonly<Record<string, (text: string) => string>> = {
  odd: (text) => text.replaceAll(/(odd\/(?:original|elsewhere\/third)' -rw-rw-r-- 12 34) 2 /g, '$1 3 '),
};

const lines = (text: Buffer): string[] => text.toString('latin1').split('\n');

void describe('the whole way, with real images', needsContainers, () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.close());

  for (const [name, build] of Object.entries({
    python: () => pythonImage(),
    static: staticImage,
    distroless: distrolessImage,
    musl: alpineLikeImage,
    odd: oddImage,
  })) {
    void test(`${name}: the confidential run prints, byte for byte, what the native run prints`, async () => {
      const native = await build();
      const confidential = await world.confidential(name, native, undefined, name === 'odd');
      const expected = await runNative(native.path);
      const found = await world.run(confidential);
      assert.equal(found.stderr.toString('latin1'), simulationWarning + expected.stderr.toString('latin1'));
      const as = unpackedByLayers[name] ?? ((text) => text);
      assert.deepEqual(lines(found.stdout), as(expected.stdout.toString('latin1')).split('\n'));
      assert.equal(found.status, expected.status);
      assert.ok(expected.stdout.length > 0);
    });
  }
});

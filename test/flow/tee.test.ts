import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { guest } from '../../packages/tee/test/guest.ts';
import { staticImage } from '../images/static.ts';
import { needsContainers, openWorld, type Confidential, type World } from './harness.ts';

const startFailed = 125;

void describe('a container finds out which TEE it runs in', needsContainers, () => {
  let world: World;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    image = await world.confidential('tee', await staticImage());
  });
  after(() => world.close());

  for (const tee of ['tdx', 'snp'] as const) {
    void test(`in a ${tee} guest it sends the hardware's evidence, not the LAS's, and CAS judges that`, async (t) => {
      const { root, entries } = await guest(t, tee);
      const found = await world.run(image, {
        mounts: [{ source: join(root, 'sys'), destination: '/sys', readOnly: false }],
      });
      assert.equal(found.status, startFailed);
      // CAS believes the vendor of this world's LAS; the guest's hardware has another one.
      assert.match(found.stderr.toString(), /CAS_EVIDENCE_REFUSED[^]*root is trusted: [^]*another root/);
      assert.deepEqual(entries(), []);
    });
  }

  void test('a TEE that it cannot use, or not run containers in, ends the start instead of simulating', async () => {
    const driver = join(world.folder, 'tdx_guest');
    writeFileSync(driver, '');
    const unused = await world.run(image, {
      mounts: [{ source: driver, destination: '/dev/tdx_guest', readOnly: true }],
    });
    assert.equal(unused.status, startFailed);
    assert.match(unused.stderr.toString(), /TEE_INTERFACE[^]*mount configfs/);
    const gramine = join(world.folder, 'attestation');
    mkdirSync(gramine);
    const enclave = await world.run(image, {
      mounts: [{ source: gramine, destination: '/dev/attestation', readOnly: true }],
    });
    assert.equal(enclave.status, startFailed);
    assert.match(enclave.stderr.toString(), /SGX enclave found \(TEE\)/);
  });
});

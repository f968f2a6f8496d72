import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needsContainers, openWorld, type Confidential, type World } from '../../flow/harness.ts';
import { stop, type Finished } from '../../flow/processes.ts';
import { startCas } from '../../flow/services.ts';
import { distrolessImage, staticImage } from '../../images/static.ts';

void describe('a host that asks for sessions that are not its own', needsContainers, () => {
  let world: World;
  let image: Confidential;
  let other: Confidential;
  before(async () => {
    world = await openWorld();
    image = await world.confidential('static', await staticImage());
    other = await world.confidential('distroless', await distrolessImage());
  });
  after(() => world.close());

  function refused(found: Finished, ...reasons: readonly RegExp[]): void {
    for (const reason of reasons) assert.match(found.errors, reason);
    assert.match(found.errors, /^\[ENSCONCE\|FATAL\] CAS refused to configure [^]*hint: /);
    assert.equal(found.text, '');
    assert.equal(found.status, 125);
  }

  void test('the image runs as it should', async () => {
    const { text, status } = await world.run(image);
    assert.deepEqual([text, status], ['indigo-marten ledger: 42\n', 0]);
  });

  void test('an unknown session and an unknown service are refused alike', async () => {
    const session = await world.run(image, { service: 'nowhere/app' });
    const service = await world.run(image, { service: 'static/nobody' });
    const reason = /it does not exist, or its session does not admit this program/;
    refused(session, /static|nowhere\/app/, reason);
    refused(service, reason);
    // The id of a request is random; everything else must be the same.
    const same = (found: Finished): string =>
      found.errors
        .replaceAll(/nowhere\/app|static\/nobody/g, 'NAME')
        .replace(/ \(request [0-9a-f]{16}\)/, ' (request ID)');
    assert.equal(same(session), same(service));
  });

  void test("another session's service does not list this measurement", async () => {
    const found = await world.run(image, { service: 'distroless/app' });
    refused(found, new RegExp(`MRENCLAVE, ${image.measurement}\\) - Expected ${other.measurement}`));
    assert.doesNotMatch(found.errors, /saffron|ibex/);
  });

  void test('a measurement that the policy does not list is refused', async () => {
    const session = structuredClone(image.session);
    session.name = 'strict';
    for (const service of session.services) service.attestation = [{ mrenclave: ['ab'.repeat(32)] }];
    await world.create(session);
    refused(
      await world.run(image, { service: 'strict/app' }),
      new RegExp(`MRENCLAVE, ${image.measurement}\\) - Expected ${'ab'.repeat(32)}`),
    );
  });

  void test("keys of another image's layers are refused, though the measurement is listed", async () => {
    const session = structuredClone(image.session);
    session.name = 'mixed';
    for (const [index, entry] of session.images.entries())
      entry.ensconce.layers = other.session.images[index]?.ensconce.layers ?? [];
    session.secrets = other.session.secrets;
    await world.create(session);
    const found = await world.run(image, { service: 'mixed/app' });
    assert.match(found.errors, /layers/);
    assert.deepEqual([found.text, found.status], ['', 125]);
  });

  void test('a policy that does not say that it accepts simulation does not', async () => {
    for (const [name, ensconce] of [
      ['explicit', { accept_simulation: false }],
      ['silent', undefined],
    ] as const) {
      const { ensconce: _, ...rest } = structuredClone(image.session);
      const session = { ...rest, name, ...(ensconce && { ensconce }) } as typeof image.session;
      await world.create(session);
      refused(await world.run(image, { service: `${name}/app` }), /simulat/i);
    }
  });

  void test('a CAS that does not accept simulation refuses, whatever the policy says', async () => {
    // The same database and identity, so the image would obey it.
    cpSync(join(world.folder, 'cas'), join(world.folder, 'strict-cas'), { recursive: true });
    const strict = await startCas(world.folder, world.las, { state: 'strict-cas', acceptSimulation: false });
    try {
      assert.equal(strict.identity, world.cas.identity);
      refused(await world.run(image, { cas: strict.service }), /simulat|root/i);
    } finally {
      await stop(strict.running);
    }
  });
});

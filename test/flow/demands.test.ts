import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fromBase32 } from '@ensconce/secrets/base32';
import { oneTimePassword } from '@ensconce/secrets/one-time-password';
import { staticImage } from '../images/static.ts';
import {
  needsContainers,
  openWorld,
  type Confidential,
  type SessionDocument,
  type World,
} from './harness.ts';
import { stop } from './processes.ts';
import { startCas } from './services.ts';

const startFailed = 125;
const killed = 137;
const shared = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';

void describe('what a session demands besides evidence', needsContainers, () => {
  let world: World;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    image = await world.confidential('demands', await staticImage());
  });
  after(() => world.close());

  /** The same session under another name, with more in it. */
  const create = (name: string, more: Partial<SessionDocument>, command?: string[]): Promise<void> => {
    const session = structuredClone(image.session);
    const [service] = session.services;
    if (service !== undefined && command !== undefined) service.command = command;
    return world.create({ ...session, ...more, name });
  };

  void test('a container starts once with one code', async () => {
    await create('coded', { security: { attestation: { one_time_password_shared_secret: shared } } });
    const code = oneTimePassword(fromBase32(shared), Math.floor(Date.now() / 30_000));
    const none = await world.run(image, { service: 'coded/app' });
    assert.deepEqual([none.status, none.text], [startFailed, '']);
    assert.match(none.errors, /a one-time password expected, none found/);
    const first = await world.run(image, { service: `coded/app@${code}` });
    assert.deepEqual([first.status, first.text], [0, 'indigo-marten ledger: 42\n'], first.errors);
    const again = await world.run(image, { service: `coded/app@${code}` });
    assert.equal(again.status, startFailed);
    assert.match(again.errors, /A One-time Password was already used within this time-step/);
  });

  void test('a container starts with the access token of its session, and the token is in no message', async () => {
    await create('token', { security: { service_access_token: 'open sesame' } });
    const right = await world.run(image, {
      service: 'token/app',
      env: ['SCONE_SERVICE_ACCESS_TOKEN=open sesame'],
    });
    assert.equal(right.status, 0, right.errors);
    for (const env of [[], ['SCONE_SERVICE_ACCESS_TOKEN=open barley']]) {
      const wrong = await world.run(image, { service: 'token/app', env });
      assert.equal(wrong.status, startFailed);
      assert.match(wrong.errors, /the service access token of the session expected/);
      assert.doesNotMatch(wrong.errors, /sesame|barley/);
    }
  });

  void test('of a singleton the container that started last is left', async () => {
    await create('one', { security: { singleton_enclaves: true } }, ['/busybox', 'sleep', '600']);
    const older = world.start(image, { service: 'one/app', env: ['SCONE_LOG=DEBUG'] });
    await older.until(/application started/);
    const newer = world.start(image, { service: 'one/app', env: ['SCONE_LOG=DEBUG'] });
    await newer.until(/application started/);
    const ended = await older.finished;
    assert.equal(ended.status, killed);
    assert.match(ended.errors, /the application was stopped: a newer start of this service counts now/);
    newer.kill('KILL');
    await newer.finished;
  });

  void test('without TEE and LAS a container starts only where session and CAS ask nobody for evidence', async () => {
    await create('open', { security: { attestation: { mode: 'none' } } });
    const bare = (service: string, address = world.cas.service) =>
      world.run(image, {
        service,
        cas: address,
        change: (spec) => {
          spec.mounts = spec.mounts.filter(({ destination }) => !destination.endsWith('las.sock'));
        },
      });
    for (const service of ['open/app', 'demands/app']) {
      const refused = await bare(service);
      assert.equal(refused.status, startFailed);
      assert.match(refused.errors, /CAS_EVIDENCE_REFUSED[^]*evidence of a TEE expected, none found/);
    }
    const { client, service } = world.cas;
    await stop(world.cas.running);
    const loose = await startCas(world.folder, world.las, {
      client,
      service,
      more: ['--insecure-accept-mode-none'],
    });
    try {
      const open = await bare('open/app', loose.service);
      assert.deepEqual([open.status, open.text], [0, 'indigo-marten ledger: 42\n'], open.errors);
      assert.match(open.errors, /configured WITHOUT EVIDENCE/);
      const attested = await bare('demands/app', loose.service);
      assert.match(attested.errors, /CAS_EVIDENCE_REFUSED/);
    } finally {
      await stop(loose.running);
    }
  });
});

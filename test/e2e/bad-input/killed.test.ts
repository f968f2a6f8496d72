import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CasConnection } from '@ensconce/api/connection';
import { parseAddress } from '@ensconce/api/address';
import { postSession, readSession } from '@ensconce/api/client';
import { selfSigned } from '@ensconce/identity/self-signed';
import { needsContainers, openWorld, type World } from '../../flow/harness.ts';
import { start, stop } from '../../flow/processes.ts';
import { commandEnvironment, program, startCas, type Cas } from '../../flow/services.ts';
import { pythonImage } from '../../images/python.ts';

const session = (name: string): string => `name: ${name}
version: "0.3"
services:
  - name: app
    image_name: none
    command: app
    attestation: [{mrenclave: ["${'0'.repeat(64)}"]}]
images: [{name: none}]
secrets: [{name: note, kind: ascii, value: "${name} was acknowledged"}]
`;

void describe('killed without warning', needsContainers, () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.close());

  void test('a CAS that is killed has everything that it acknowledged when it is back', async () => {
    const made = await selfSigned('test', new Date());
    const identity = {
      privateKey: made.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      certificate: made.certificate,
    };
    const acknowledged = new Map<string, string>();
    const open = (cas: Cas): Promise<CasConnection> =>
      CasConnection.open({
        address: parseAddress(cas.client),
        identity,
        pinned: cas.identity,
        timeout: 10_000,
      });
    const check = async (cas: Cas): Promise<void> => {
      const connection = await open(cas);
      for (const [name, hash] of acknowledged) {
        const found = await readSession(connection, name);
        assert.equal(found.hash, hash, name);
      }
      connection.close();
    };
    let identityOfCas = '';
    for (let round = 0; round < 10; round++) {
      const cas = await startCas(world.folder, world.las, { state: 'killed-cas' });
      try {
        if (identityOfCas === '') identityOfCas = cas.identity;
        assert.equal(cas.identity, identityOfCas, 'the same CAS');
        await check(cas);
        const connection = await open(cas);
        // The last of them is under way when the blow falls.
        const first = await postSession(connection, session(`round-${round}`));
        acknowledged.set(first.name, first.hash);
        const second = postSession(connection, session(`late-${round}`)).then(
          (written) => acknowledged.set(written.name, written.hash),
          () => undefined,
        );
        await sleep(round);
        await stop(cas.running, 'SIGKILL');
        await second;
        connection.close();
      } finally {
        await stop(cas.running, 'SIGKILL');
      }
    }
    const last = await startCas(world.folder, world.las, { state: 'killed-cas' });
    await check(last);
    assert.ok(acknowledged.size >= 10);
    await stop(last.running);
  });

  void test('a transform that is killed leaves nothing that looks like an image, and the next one works', async () => {
    const { reference } = await pythonImage();
    const to = join(world.folder, 'killed-image');
    const file = `${to}.yml`;
    const args = [
      'image',
      '--from',
      reference,
      '--to',
      `oci:${to}`,
      '--name',
      'killed',
      '--session',
      file,
      '--json',
    ];
    for (const delay of [0, 150, 300]) {
      const running = start(process.execPath, [program, ...args], { env: commandEnvironment(world.folder) });
      await running.until(/sealed 0 %|sealed \d+ %/);
      await sleep(delay);
      running.child.kill('SIGKILL');
      const { status } = await running.finished;
      if (status === 0) continue;
      assert.ok(!existsSync(join(to, 'index.json')), 'no image');
      assert.ok(!existsSync(file), 'no session');
    }
    const result = JSON.parse((await world.done(args)).text) as { measurement: string };
    assert.match(result.measurement, /^[0-9a-f]{64}$/);
    assert.ok(existsSync(join(to, 'index.json')) && existsSync(file));
    assert.deepEqual(
      readdirSync(to).toSorted(),
      ['blobs', 'index.json', 'oci-layout'],
      'what was killed is removed',
    );
  });
});

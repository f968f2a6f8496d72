import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { postSession } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import type { AttestAnswer } from '@ensconce/wire/attestation';
import { startProcess, type CasProcess } from '../../test/cas-processes.ts';
import { clientKeys, testFolder, type ClientKeys } from '../../test/cas-under-test.ts';
import { named, refused } from '../../test/place.ts';
import { attestOnce, imageFor, measure } from '../../test/service-under-test.ts';
import { sessionOfSecrets } from '../../test/session-of-secrets.ts';

async function create(cas: CasProcess, identity: ClientKeys, name: string, secrets: string): Promise<void> {
  const address = { host: '127.0.0.1', port: cas.port };
  const connection = await CasConnection.open({ address, identity, pinned: cas.identity, timeout: 5000 });
  const image = imageFor(asCas(cas));
  const environment = { X: '$$SCONE::x$$' };
  const parts = { name, secrets, environment, mrenclave: measure(image), layer: image.layers[0] ?? '' };
  await postSession(connection, sessionOfSecrets(parts)).finally(() => connection.close());
}

function asCas({ identity, certificate, port, servicePort }: CasProcess): Parameters<typeof imageFor>[0] {
  const at = (where: number) => ({ address: '127.0.0.1', family: 'IPv4', port: where });
  const close = (): Promise<void> => Promise.resolve();
  return { identity, certificate, clientAddress: at(port), serviceAddress: at(servicePort), close };
}

async function twoProcesses(t: TestContext): Promise<{
  readonly start: (cas: CasProcess, name: string) => Promise<AttestAnswer>;
  readonly run: (name: string, port?: number) => Promise<CasProcess>;
  readonly log: (name: string) => string;
}> {
  const folder = testFolder(t);
  const vendorFolder = join(folder, 'vendor');
  const vendor = await openSimulatedVendor({ folder: vendorFolder, now: () => new Date() });
  return {
    start: async (process, configId) => {
      const cas = asCas(process);
      const { answer, connection } = await attestOnce({ cas, vendor, image: imageFor(cas), configId });
      connection.socket.destroy();
      return answer;
    },
    run: async (name, port = 0) => {
      const started = await startProcess(join(folder, name), { port, vendor: vendorFolder });
      t.after(() => started.child.kill('SIGKILL'));
      return started;
    },
    log: (name) => readFileSync(join(folder, `${name}.log`), 'utf8'),
  };
}

void test('two CASes: one is killed, is waited for by nobody, and gives again once it is back', async (t) => {
  const { run, start, log } = await twoProcesses(t);
  const [giver, taker] = [await run('giver'), await run('taker')];
  const identity = await clientKeys();
  const value = 'a secret of the giver';
  await create(
    giver,
    identity,
    'g',
    `  - {name: x, kind: ascii, value: ${value}, export: {session: t, ${named(taker)}}}\n`,
  );
  await create(taker, identity, 't', `  - {name: x, import: {session: g, ${named(giver)}}}\n`);
  await create(taker, identity, 'free', '  - {name: x, kind: ascii, value: free}\n');
  const got = (answer: AttestAnswer): string | undefined =>
    answer.type === 'configured' ? answer.configuration.environment['X'] : answer.code;
  assert.equal(got(await start(taker, 't/app')), value);

  giver.child.kill('SIGKILL');
  await once(giver.child, 'exit');
  const whileAway = await start(taker, 't/app');
  refused(whileAway, 'CAS_IMPORT_UNAVAILABLE');
  assert.equal(JSON.stringify(whileAway).includes(value), false);
  assert.equal(got(await start(taker, 'free/app')), 'free');

  const again = await run('giver', giver.port);
  assert.equal(again.identity, giver.identity);
  const deadline = performance.now() + 20_000;
  let answer = await start(taker, 't/app');
  while (answer.type === 'refused' && performance.now() < deadline) {
    refused(answer, 'CAS_IMPORT_UNAVAILABLE');
    await sleep(200);
    answer = await start(taker, 't/app');
  }
  assert.equal(got(answer), value);
  for (const name of ['giver', 'taker'])
    assert.equal(log(name).includes(value), false, `in the log of ${name}`);
});

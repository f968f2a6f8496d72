import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repository } from '../images/places.ts';
import { needsContainers } from './harness.ts';
import { run, start, stop } from './processes.ts';

const ensconce = join(repository, 'bin', 'ensconce');

void describe('the command as the README has it', needsContainers, () => {
  void test('a CAS that bin/ensconce serves is attested by it', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'ensconce-quick-start-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const options = { env: { HOME: folder }, cwd: folder };
    const las = start(ensconce, ['las', 'serve', '--simulate', '--socket', 'las.sock'], options);
    t.after(() => stop(las));
    await las.until(/LAS is ready/);
    const vendor = join(folder, '.cas', 'simulated-vendor');
    const simulation = ['--insecure-accept-simulation', vendor];
    const local = '127.0.0.1:0';
    const cas = start(
      ensconce,
      'cas serve --state cas --las las.sock --listen-client'
        .split(' ')
        .concat(local, '--listen-service', local, simulation),
      options,
    );
    t.after(() => stop(cas));
    const address = (await cas.until(/clients: +(\S+)/))[1] as string;
    const measured = (await run(ensconce, ['cas', 'measure'], options)).text.trim();
    const attested = await run(
      ensconce,
      ['cas', 'attest', address, '--mrenclave', measured, ...simulation],
      options,
    );
    assert.equal(attested.status, 0, attested.errors);
    const other = await run(
      ensconce,
      ['cas', 'attest', address, '--mrenclave', 'ab'.repeat(32), ...simulation],
      options,
    );
    assert.notEqual(other.status, 0);
  });
});

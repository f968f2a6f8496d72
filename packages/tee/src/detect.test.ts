import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hintOf } from '@ensconce/base/errors';
import { cannotMount, guest } from '../test/guest.ts';
import { detectTee } from './detect.ts';
import { openSource } from './open.ts';

const skip = cannotMount;
const las = { socket: '/nowhere/las.sock', timeout: 100 };

void test('each TEE is known by its kernel files, and gives evidence of its format', { skip }, async (t) => {
  for (const tee of ['tdx', 'snp', 'sgx'] as const) {
    const { root } = await guest(t, tee);
    assert.equal(await detectTee(root), tee);
    const source = openSource(tee, { root, las });
    assert.equal(source.tee, tee);
    assert.equal((await source.makeEvidence(new Uint8Array(64))).format, tee);
    assert.equal('extend' in source, tee === 'tdx');
  }
});

void test('simulation is for where nothing says that there is a TEE', { skip }, async (t) => {
  const empty = mkdtempSync(join(tmpdir(), 'ensconce-tee-'));
  t.after(() => rmSync(empty, { recursive: true }));
  assert.equal(await detectTee(empty), 'sim');
  assert.equal(await detectTee((await guest(t, 'none')).root), 'sim');
  assert.equal(openSource('sim', { root: empty, las }).tee, 'sim');
});

void test('a TEE that is there but cannot be used is never replaced by simulation', { skip }, async (t) => {
  for (const [tee, more] of [
    ['tdx', { signsOnly: true }],
    ['snp', { signsOnly: true }],
    ['none', { cpuinfo: 'processor\t: 0\nflags\t\t: fpu tdx_guest sse2\n' }],
  ] as const) {
    const { root } = await guest(t, tee, more);
    await assert.rejects(detectTee(root), (error) => {
      assert.equal((error as Error & { code: string }).code, 'TEE_INTERFACE');
      assert.match(hintOf(error) ?? '', /mount configfs/);
      return true;
    });
  }
});

void test('hardware that is not known is refused, as is a driver without hardware', { skip }, async (t) => {
  const { root, fault } = await guest(t, 'tdx');
  fault({ provider: 'arm_cca_guest' });
  await assert.rejects(detectTee(root), { code: 'TEE_PROVIDER', message: /"arm_cca_guest" found/ });
  fault({ missing: ['provider'] });
  await assert.rejects(detectTee(root), { code: 'TEE_INTERFACE' });
  fault({ noProvider: true });
  await assert.rejects(detectTee(root), { code: 'TEE_INTERFACE' });
});

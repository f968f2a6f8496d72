import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { verifyEvidence } from '@ensconce/verify/verify';
import { TeeError, type TeeErrorCode } from './errors.ts';
import { extendRtmr, readRtmr } from './rtmr.ts';
import { readGramineQuote } from './gramine.ts';
import { readTsmReport, type TsmOptions } from './tsm.ts';
import type { KernelFiles } from './files.ts';

const at = new Date('2026-11-22T12:00:00Z');
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const amd = await makeAmdAuthority('Milan', at, 2048);
const chip = await makeChip(amd, at);
const reportData = new Uint8Array(64).fill(9);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const errno = (code: string): Error => Object.assign(new Error(code), { code });

/** The kernel's files over the simulated hardware, with its rules: a generation that counts writes, one write per blob. */
class SimulatedKernel implements KernelFiles {
  readonly provider: string;
  /** Codes that reading `outblob` fails with, one after the other. */
  readonly failures: string[];
  /** Entries that somebody else writes to between, at first. */
  intruders: number;
  floor = 0;
  readonly rtmrs = new Map<string, Uint8Array>();
  readonly entries = new Map<string, { generation: number; inblob?: Uint8Array; level: number }>();
  gramine: Uint8Array | undefined;

  constructor(provider: string, failures: string[] = [], intruders = 0) {
    this.provider = provider;
    this.failures = failures;
    this.intruders = intruders;
  }

  mkdir(path: string): void {
    if (this.provider === 'none') throw errno('ENOENT');
    this.entries.set(path, { generation: 0, level: 0 });
  }

  rmdir(path: string): void {
    this.entries.delete(path);
  }

  #entry(path: string): { entry: { generation: number; inblob?: Uint8Array; level: number }; name: string } {
    const cut = path.lastIndexOf('/');
    const entry = this.entries.get(path.slice(0, cut));
    if (entry === undefined) throw errno('ENOENT');
    return { entry, name: path.slice(cut + 1) };
  }

  write(path: string, data: Uint8Array): void {
    if (path.includes(':sha384')) {
      const before = this.rtmrs.get(path) ?? new Uint8Array(48);
      this.rtmrs.set(path, createHash('sha384').update(before).update(data).digest());
      return;
    }
    if (path.endsWith('user_report_data')) {
      this.gramine = data;
      return;
    }
    const { entry, name } = this.#entry(path);
    if (name === 'inblob') {
      if (data.length !== 64) throw errno('EINVAL');
      entry.inblob = data;
    } else entry.level = Number(new TextDecoder().decode(data));
    entry.generation++;
  }

  #outblob(entry: { inblob?: Uint8Array; level: number; generation: number }): Uint8Array {
    const failure = this.failures.shift();
    if (failure !== undefined) throw errno(failure);
    const asked = entry.inblob ?? new Uint8Array(64);
    if (this.intruders-- > 0) entry.generation++;
    return this.provider === 'tdx_guest'
      ? makeTdxQuote(platform, { reportData: asked, kind: 'td-1.5' })
      : makeSnpReport(chip, { reportData: asked, vmpl: entry.level });
  }

  read(path: string): Uint8Array {
    if (path.includes(':sha384')) return this.rtmrs.get(path) ?? new Uint8Array(48);
    if (path.endsWith('attestation_type')) {
      if (this.provider === 'none') throw errno('ENOENT');
      return utf8(this.provider);
    }
    if (path === '/dev/attestation/quote') {
      return makeSgxQuote(platform, {
        mrenclave: new Uint8Array(32),
        mrsigner: new Uint8Array(32),
        isvprodid: 0,
        isvsvn: 0,
        reportData: this.gramine ?? new Uint8Array(64),
      });
    }
    const { entry, name } = this.#entry(path);
    switch (name) {
      case 'provider':
        return utf8(`${this.provider}\n`);
      case 'generation':
        return utf8(`${entry.generation}\n`);
      case 'privlevel_floor':
        return utf8(`${this.floor}\n`);
      case 'outblob':
        return this.#outblob(entry);
      case 'auxblob':
        return makeCertificateTable(chip, amd);
      default:
        throw errno('ENOENT');
    }
  }
}

const ask = (files: KernelFiles, change: Partial<TsmOptions> = {}) =>
  readTsmReport({ files, reportData, name: 'ensconce', ...change });
const withCode = (code: TeeErrorCode) => (error: unknown) => error instanceof TeeError && error.code === code;
const trusting = {
  crypto: nodeCrypto,
  at,
  insecureSimulatedRoots: [intel.root.certificate, amd.ark.certificate],
};

async function intelPool(tee: 'sgx' | 'tdx'): Promise<CollateralPool> {
  const pool = new CollateralPool();
  const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) };
  pool.addIntel(
    await issueIntelCollateral(intel, {
      dates,
      tcb: upToDateTcb(platform, tee, at),
      ca: 'platform',
      crlNumber: 1,
    }),
  );
  return pool;
}

void test('a TD has a quote made for its report data', async () => {
  const kernel = new SimulatedKernel('tdx_guest');
  const { tee, evidence } = ask(kernel);
  assert.equal(tee, 'tdx');
  assert.equal(kernel.entries.size, 0);
  const verdict = await verifyEvidence(evidence, await intelPool('tdx'), trusting);
  assert.equal(verdict?.claims?.tee === 'tdx' && verdict.claims.reportData, '09'.repeat(64));
});

void test('an SNP guest gets its report at the privilege level asked for, with the certificates of its host', async () => {
  const kernel = new SimulatedKernel('sev_guest');
  const { evidence, certificates } = ask(kernel, { privilegeLevel: 2 });
  const pool = new CollateralPool();
  pool.add(certificates);
  const verdict = await verifyEvidence(evidence, pool, trusting);
  assert.equal(verdict?.claims?.tee === 'snp' && verdict.claims.vmpl, 2);
  kernel.floor = 3;
  assert.throws(() => ask(kernel, { privilegeLevel: 2 }), withCode('TEE_UNEXPECTED'));
  assert.equal(kernel.entries.size, 0);
});

void test('interruptions and other writers are waited out, but not for ever', () => {
  assert.equal(ask(new SimulatedKernel('tdx_guest', ['EBUSY', 'EINTR'])).tee, 'tdx');
  assert.equal(ask(new SimulatedKernel('tdx_guest', [], 2)).tee, 'tdx');
  assert.throws(() => ask(new SimulatedKernel('tdx_guest', [], 99)), withCode('TEE_BUSY'));
  assert.throws(() => ask(new SimulatedKernel('tdx_guest', ['EIO'])), /EIO/);
  assert.throws(() => ask(new SimulatedKernel('arm_cca_guest')), withCode('TEE_UNEXPECTED'));
  assert.throws(() => ask(new SimulatedKernel('none')), withCode('TEE_ABSENT'));
  assert.throws(() => ask(new SimulatedKernel('tdx_guest'), { reportData: new Uint8Array(32) }), RangeError);
});

void test('a register is extended, never set', () => {
  const kernel = new SimulatedKernel('tdx_guest');
  const digest = new Uint8Array(48).fill(1);
  extendRtmr(kernel, 3, digest);
  const expected = createHash('sha384').update(new Uint8Array(48)).update(digest).digest();
  assert.deepEqual(readRtmr(kernel, 3), expected);
  assert.throws(() => extendRtmr(kernel, 3, new Uint8Array(32)), RangeError);
});

void test('an enclave under Gramine has a quote made for its report data', async () => {
  const quote = readGramineQuote(new SimulatedKernel('dcap'), reportData);
  const verdict = await verifyEvidence(quote, await intelPool('sgx'), trusting);
  assert.equal(verdict?.claims?.tee === 'sgx' && verdict.claims.reportData, '09'.repeat(64));
  assert.throws(() => readGramineQuote(new SimulatedKernel('none'), reportData), withCode('TEE_ABSENT'));
  assert.throws(() => readGramineQuote(new SimulatedKernel('epid'), reportData), withCode('TEE_UNEXPECTED'));
});

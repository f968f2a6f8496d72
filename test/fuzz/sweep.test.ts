/**
 * Changed, cut, doubled and wrongly wrapped evidence through what `ensconce evidence verify` and `show` call: only the documented exit codes and errors of
 * ours come out, in bounded time. For longer: `ENSCONCE_FUZZ_SECONDS=600 node --test test/fuzz/sweep.test.ts`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictExitCodes } from '@ensconce/evidence-report/exit-code';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { issueAmdCollateral } from '@ensconce/simulation/amd/collateral';
import { makeAzureSnpEvidence, makeAzureTdxEvidence } from '@ensconce/simulation/azure/envelope';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { generateEcKey } from '@ensconce/simulation/key';
import { makeNitroAuthority } from '@ensconce/simulation/nitro/authority';
import { makeNitroDocument } from '@ensconce/simulation/nitro/quote';
import { makeRaTlsCertificate } from '@ensconce/simulation/ra-tls/certificate';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeSnpReport } from '@ensconce/simulation/snp/quote';
import { reportFields } from '@ensconce/simulation/snp/fields';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { makeTpm, makeTpmAuthority } from '@ensconce/simulation/tpm/authority';
import { makeTpmEvidence } from '@ensconce/simulation/tpm/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { sweep, type Judge } from './sweep.ts';
import { random } from './mutate.ts';

const seconds = Number(process.env['ENSCONCE_FUZZ_SECONDS'] ?? 4);
const seed = Number(process.env['ENSCONCE_FUZZ_SEED'] ?? 1);
/** Milliseconds for one judgement, on a machine that does other things too. */
const slowest = 1000;

const at = new Date('2026-11-22T12:00:00Z');
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) };
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const amd = await makeAmdAuthority('Milan', at, 2048);
const chip = await makeChip(amd, at);
const nitro = await makeNitroAuthority(at);
const tpmAuthority = await makeTpmAuthority(at);
const tpm = await makeTpm(tpmAuthority, at);
const reportData = new Uint8Array(64).fill(7);
const pcrs = Array.from({ length: 24 }, () => new Uint8Array(32));
const azure = { key: tpm.key, tpm: { nonce: new Uint8Array(32), pcrs } };
const sgx = (bound: Uint8Array): Uint8Array =>
  makeSgxQuote(platform, {
    mrenclave: new Uint8Array(32),
    mrsigner: new Uint8Array(32),
    isvprodid: 0,
    isvsvn: 0,
    reportData: bound,
  });
const report = makeSnpReport(chip, { reportData });
const json = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

const evidence: Readonly<Record<string, Uint8Array>> = {
  'an SGX quote': sgx(reportData),
  'a TDX quote': makeTdxQuote(platform, { reportData, kind: 'td-1.5' }),
  'an SNP report': report,
  'an SNP report as fields': json(reportFields(report, 'numbers', { VCEK: chip.vek.certificate })),
  'an RA-TLS certificate': await makeRaTlsCertificate({
    form: 'interoperable',
    key: generateEcKey('P-256'),
    notBefore: dates.issued,
    notAfter: dates.next,
    quote: sgx,
  }),
  'a Nitro document': await makeNitroDocument(nitro, { timestamp: at, userData: reportData }),
  'TPM evidence': makeTpmEvidence(tpm, { nonce: reportData, pcrs }),
  'Azure SNP evidence': makeAzureSnpEvidence(chip, azure),
  'Azure TDX evidence': makeAzureTdxEvidence(platform, azure),
};

const intelCollateral = await Promise.all(
  (['sgx', 'tdx'] as const).map((tee) =>
    issueIntelCollateral(intel, { dates, tcb: upToDateTcb(platform, tee, at), ca: 'platform', crlNumber: 1 }),
  ),
);
const amdCollateral = await issueAmdCollateral(amd, chip, { ...dates, number: 1 });

/** A pool of its own for each judgement, as each run of the command has. */
function command(): Judge {
  const pool = new CollateralPool();
  for (const one of intelCollateral) pool.addIntel(one);
  for (const der of [...amdCollateral.certificates, ...amdCollateral.revocationLists]) pool.add(der);
  const insecureSimulatedRoots = [intel.root, amd.ark, nitro.root, tpmAuthority.root].map(
    (one) => one.certificate,
  );
  return { pool, at, policy: undefined, allowTrailing: false, insecureSimulatedRoots };
}

const documented: ReadonlySet<number> = new Set([...Object.values(verdictExitCodes), 2]);

void test(`changed evidence gives a documented exit code in bounded time (${seconds} s)`, async (t) => {
  const next = random(seed);
  const end = performance.now() + seconds * 1000;
  const all = new Map<number, number>();
  while (performance.now() < end) {
    for (const [name, bytes] of Object.entries(evidence)) {
      const swept = await sweep(bytes, 5, next, command);
      assert.ok(swept.slowest < slowest, `${name}: at most ${slowest} ms expected, ${swept.slowest} found`);
      for (const [code, count] of swept.codes) {
        assert.ok(documented.has(code), `${name}: exit code ${code}`);
        all.set(code, (all.get(code) ?? 0) + count);
      }
    }
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(all)));
});
